package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A tenantView is what may be seen of a tenant, under the names of the tenants
// API. A server shows fewer fields than a file or a database has. There are no
// secrets in it.
type tenantView map[string]any

// viewOf returns what may be seen of a tenant. Of extensions that are unknown
// here nobody can say which settings are secret, so none are shown.
func viewOf(t *tutti.Tenant) tenantView {
	view := tenantView{
		"external_id": t.ExternalID, "name": t.Name,
		"has_jwt_secret": t.JWTSecret != "", "has_jwt_jwks": len(t.JWTJWKS) > 0,
		"max_concurrent_users": t.MaxConcurrentUsers, "max_events_per_second": t.MaxEventsPerSecond,
		"max_joins_per_second": t.MaxJoinsPerSecond, "max_channels_per_client": t.MaxChannelsPerClient,
		"max_bytes_per_second": t.MaxBytesPerSecond, "max_presence_events_per_second": t.MaxPresenceEventsPerSecond,
		"max_payload_size_in_kb":                t.MaxPayloadSizeKB,
		"max_client_presence_events_per_window": positive(t.ClientPresenceMaxCalls),
		"client_presence_window_ms":             positive(int(t.ClientPresenceWindow.Milliseconds())),
		"presence_enabled":                      t.PresenceEnabled, "private_only": t.PrivateOnly, "suspend": t.Suspend,
		"postgres_cdc_default": t.PostgresCDCDefault, "broadcast_adapter": t.BroadcastAdapter,
	}
	if t.ID != "" {
		view["id"] = t.ID
	}
	if len(t.FeatureFlags) > 0 {
		view["feature_flags"] = t.FeatureFlags
	}
	for name, at := range map[string]time.Time{"inserted_at": t.InsertedAt, "updated_at": t.UpdatedAt} {
		if !at.IsZero() {
			view[name] = at.UTC().Format(time.RFC3339)
		}
	}
	list := []any{}
	for _, e := range t.Extensions {
		settings := map[string]any{}
		for _, name := range shownSettings {
			if value, ok := e.Settings[name]; ok && e.Type == tenant.DatabaseExtension {
				settings[name] = value
			}
		}
		for _, known := range extensions() {
			for name, value := range e.Settings {
				if known.Key == e.Type && !slices.Contains(known.Secrets, name) {
					settings[name] = value
				}
			}
		}
		list = append(list, map[string]any{"type": e.Type, "settings": settings})
	}
	view["extensions"] = list
	return view
}

// shownSettings are the settings of a database that are no secrets.
var shownSettings = [...]string{
	"region", "db_host", "db_port", "db_name", "db_user", "ssl_enforced", "publication", "slot_name",
	"poll_interval_ms", "poll_max_changes", "poll_max_record_bytes",
	"db_pool", "subcriber_pool_size", "subs_pool_size", "db_queue_target",
}

// positive returns nil for a number that stands for the server's own setting.
func positive(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// readable takes off what a server shows encrypted.
func (v tenantView) readable() tenantView {
	for _, e := range v.extensions() {
		settings, _ := e["settings"].(map[string]any)
		if e["type"] == tenant.DatabaseExtension {
			maps.DeleteFunc(settings, func(name string, _ any) bool {
				return slices.Contains([]string{"db_host", "db_port", "db_name", "db_user"}, name)
			})
		}
	}
	return v
}

func (v tenantView) extensions() []map[string]any {
	list, _ := v["extensions"].([]any)
	var all []map[string]any
	for _, item := range list {
		if e, ok := item.(map[string]any); ok {
			all = append(all, e)
		}
	}
	return all
}

// print writes a field to a line, and the settings of extensions below.
func (v tenantView) print(w io.Writer) error {
	lines := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range slices.Concat([]string{"external_id", "id", "has_jwt_secret", "has_jwt_jwks"},
		fieldNames(), []string{"inserted_at", "updated_at"}) {
		if value, ok := v[name]; ok && name != "extensions" {
			fmt.Fprintf(lines, "%s\t%s\n", name, cell(value))
		}
	}
	for _, e := range v.extensions() {
		fmt.Fprintf(lines, "extension\t%s\n", cell(e["type"]))
		settings, _ := e["settings"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			fmt.Fprintf(lines, "  %s\t%s\n", cell(name), cell(settings[name]))
		}
	}
	return lines.Flush()
}

// cell writes a value for a terminal, which names of tenants must not steer.
func cell(value any) string {
	switch v := value.(type) {
	case nil:
		return "-"
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case float64:
		value = strconv.FormatFloat(v, 'f', -1, 64) // without an exponent
	case map[string]any, map[string]bool:
		value = string(encodeJSON(v))
	}
	text := fmt.Sprint(value)
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

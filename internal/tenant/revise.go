package tenant

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
)

// longestID is the most bytes of an external id.
const longestID = 255

// Revise returns the tenant that results when the tenants API is sent fields, a
// JSON object, for an external id (protocol.md §9.2). Without before it is a new
// one, whose limits are the defaults unless they are given, and whose name is
// its id. Otherwise fields that are not given stay as they are, and null puts
// the default back. Names of fields that do not exist are passed over. All
// faults are in the error, an Invalid.
func (d Defaults) Revise(before *tutti.Tenant, externalID string, fields json.RawMessage, now time.Time) (*tutti.Tenant, error) {
	c := &cast{wrong: Invalid{}}
	if json.Unmarshal(fields, &c.given) != nil {
		return nil, Invalid{"tenant": []string{notValid}}
	}
	now = now.UTC().Truncate(time.Second) // as precise as a control database
	t := d.Tenant(externalID)
	t.InsertedAt = now
	if before != nil {
		old := *before
		t = &old
	} else {
		c.create(externalID)
	}
	t.UpdatedAt = now
	c.identity(t)
	c.limits(t, d)
	c.truth("presence_enabled", &t.PresenceEnabled)
	c.truth("private_only", &t.PrivateOnly)
	c.truth("suspend", &t.Suspend)
	c.text("postgres_cdc_default", &t.PostgresCDCDefault, DatabaseExtension)
	c.adapter(&t.BroadcastAdapter)
	c.flags("feature_flags", &t.FeatureFlags)
	if c.given["extensions"] != nil {
		t.Extensions = c.extensions(t.Extensions, d.Extensions, now)
	}
	if len(c.wrong) > 0 {
		return nil, c.wrong
	}
	return t, nil
}

// create checks what is asked of a new tenant only.
func (c *cast) create(externalID string) {
	switch {
	case strings.TrimSpace(externalID) == "":
		c.wrong.add("external_id", blank)
	case len(externalID) > longestID:
		c.wrong.add("external_id", "should be at most 255 byte(s)")
	case holdsNUL(externalID):
		c.wrong.add("external_id", notValid)
	}
	delete(c.given, "name")
	if c.given["extensions"] == nil {
		c.wrong.add("extensions", blank)
	}
}

func (c *cast) identity(t *tutti.Tenant) {
	c.text("name", &t.Name, t.ExternalID)
	c.text("jwt_secret", &t.JWTSecret, "")
	c.keySet("jwt_jwks", &t.JWTJWKS)
	if t.JWTSecret == "" && len(t.JWTJWKS) == 0 && c.wrong["jwt_secret"] == nil && c.wrong["jwt_jwks"] == nil {
		c.wrong.add("jwt_secret", "either jwt_secret or jwt_jwks must be provided")
	}
}

func (c *cast) limits(t *tutti.Tenant, d Defaults) {
	c.count("max_concurrent_users", &t.MaxConcurrentUsers, d.MaxConcurrentUsers)
	c.count("max_events_per_second", &t.MaxEventsPerSecond, d.MaxEventsPerSecond)
	c.count("max_joins_per_second", &t.MaxJoinsPerSecond, d.MaxJoinsPerSecond)
	c.count("max_channels_per_client", &t.MaxChannelsPerClient, d.MaxChannelsPerClient)
	c.count("max_bytes_per_second", &t.MaxBytesPerSecond, d.MaxBytesPerSecond)
	c.count("max_presence_events_per_second", &t.MaxPresenceEventsPerSecond, d.MaxPresenceEventsPerSecond)
	c.count("max_payload_size_in_kb", &t.MaxPayloadSizeKB, d.MaxPayloadSizeKB)
	c.count("max_client_presence_events_per_window", &t.ClientPresenceMaxCalls, 0)
	window := math.MinInt
	c.count("client_presence_window_ms", &window, 0)
	if window != math.MinInt {
		t.ClientPresenceWindow = time.Duration(window) * time.Millisecond
	}
}

// adapter reads a name that means nothing here; it must be one of the reference's.
func (c *cast) adapter(to *string) {
	name := standardAdapter
	c.text("broadcast_adapter", &name, standardAdapter)
	switch {
	case c.given["broadcast_adapter"] == nil:
	case name == standardAdapter, name == "phoenix":
		*to = name
	default:
		c.wrong.add("broadcast_adapter", notValid)
	}
}

// extensions reads the extensions that take the place of those before.
func (c *cast) extensions(before []tutti.TenantExtension, known []tutti.Extension, now time.Time) []tutti.TenantExtension {
	const name = "extensions"
	list, ok := decode(c.given[name]).([]any)
	if !ok {
		c.wrong.add(name, notValid)
		return nil
	}
	var all []tutti.TenantExtension
	faults := make([]Invalid, 0, len(list))
	faulty := false
	for _, item := range list {
		fields, ok := item.(map[string]any)
		if !ok {
			c.wrong[name] = []string{notValid}
			return nil
		}
		e, wrong := castExtension(fields)
		checkSettings(known, e, wrong)
		if len(wrong) == 0 && typeIndex(all, e.Type) >= 0 {
			wrong.add("type", taken)
		}
		faulty = faulty || len(wrong) > 0
		all, faults = append(all, dated(e, before, now)), append(faults, wrong)
	}
	if faulty {
		c.wrong[name] = faults
	}
	return all
}

func castExtension(fields map[string]any) (e tutti.TenantExtension, wrong Invalid) {
	wrong = Invalid{}
	switch v := fields["type"].(type) {
	case nil:
		wrong.add("type", blank)
	case string:
		e.Type = v
		if strings.TrimSpace(v) == "" {
			wrong.add("type", blank)
		} else if holdsNUL(v) {
			wrong.add("type", notValid)
		}
	default:
		wrong.add("type", notValid)
	}
	settings, ok := fields["settings"].(map[string]any)
	switch {
	case fields["settings"] == nil:
		wrong.add("settings", blank)
	case !ok || holdsNUL(settings):
		wrong.add("settings", notValid)
	case e.Type == "postgres" || e.Type == DatabaseExtension:
		requireSettings(settings, wrong)
	}
	for name, setting := range settings {
		if setting == nil {
			delete(settings, name) // null is no setting
		}
	}
	if ok {
		e.Settings, _ = plain(settings).(map[string]any)
	}
	return CompleteExtension(e), wrong
}

// checkSettings asks an extension of the server whether it can do with settings.
func checkSettings(known []tutti.Extension, e tutti.TenantExtension, wrong Invalid) {
	i := slices.IndexFunc(known, func(x tutti.Extension) bool { return x.Key == e.Type })
	if i < 0 || wrong["settings"] != nil {
		return
	}
	if _, err := known[i].Read(e.Settings); err != nil {
		wrong.add("settings", err.Error())
	}
}

// requireSettings notes which settings a database needs and has not.
func requireSettings(settings map[string]any, wrong Invalid) {
	for _, name := range append([]string{"region"}, databaseSettings[:]...) {
		switch v := settings[name].(type) {
		case nil:
			wrong.add("settings", name+" "+blank)
		case string:
			if v == "" {
				wrong.add("settings", name+" "+blank)
			}
		default:
			wrong.add("settings", name+" "+notValid)
		}
	}
}

// dated returns an extension with its times: those of before if it is the same.
func dated(e tutti.TenantExtension, before []tutti.TenantExtension, now time.Time) tutti.TenantExtension {
	e.InsertedAt, e.UpdatedAt = now, now
	if i := typeIndex(before, e.Type); i >= 0 {
		e.InsertedAt = before[i].InsertedAt
		if reflect.DeepEqual(plain(before[i].Settings), plain(e.Settings)) {
			e.UpdatedAt = before[i].UpdatedAt
		}
	}
	return e
}

// typeIndex returns the place of the extension of a type, or -1.
func typeIndex(all []tutti.TenantExtension, kind string) int {
	return slices.IndexFunc(all, func(e tutti.TenantExtension) bool { return e.Type == kind })
}

package tenant

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
)

// fieldOrder is the order in which the fields of a tenant are written.
var fieldOrder = [...]string{
	"external_id", "name", "jwt_secret", "jwt_jwks",
	"max_concurrent_users", "max_events_per_second", "max_joins_per_second", "max_channels_per_client",
	"max_bytes_per_second", "max_presence_events_per_second", "max_payload_size_in_kb",
	"max_client_presence_events_per_window", "client_presence_window_ms",
	"presence_enabled", "private_only", "suspend",
	"postgres_cdc_default", "broadcast_adapter", "feature_flags", "extensions", "inserted_at", "updated_at",
}

// tree returns a tenant as the fields of the tenants API, with the values that
// encoding/json makes of them: two tenants are the same when their trees are.
// What says nothing (no secret, no flags, no time) is not in it.
func tree(t *tutti.Tenant) map[string]any {
	fields := map[string]any{
		"external_id":                    t.ExternalID,
		"name":                           cmp.Or(t.Name, t.ExternalID),
		"max_concurrent_users":           float64(t.MaxConcurrentUsers),
		"max_events_per_second":          float64(t.MaxEventsPerSecond),
		"max_joins_per_second":           float64(t.MaxJoinsPerSecond),
		"max_channels_per_client":        float64(t.MaxChannelsPerClient),
		"max_bytes_per_second":           float64(t.MaxBytesPerSecond),
		"max_presence_events_per_second": float64(t.MaxPresenceEventsPerSecond),
		"max_payload_size_in_kb":         float64(t.MaxPayloadSizeKB),
		"presence_enabled":               t.PresenceEnabled,
		"private_only":                   t.PrivateOnly,
		"suspend":                        t.Suspend,
		"postgres_cdc_default":           t.PostgresCDCDefault,
		"broadcast_adapter":              t.BroadcastAdapter,
		"inserted_at":                    timestamp(t.InsertedAt),
		"updated_at":                     timestamp(t.UpdatedAt),
	}
	for name, n := range map[string]int{
		"max_client_presence_events_per_window": t.ClientPresenceMaxCalls,
		"client_presence_window_ms":             int(t.ClientPresenceWindow.Milliseconds()),
	} {
		if n != 0 {
			fields[name] = float64(n)
		}
	}
	if len(t.JWTJWKS) > 0 {
		fields["jwt_jwks"] = plain(t.JWTJWKS)
	}
	fields["jwt_secret"] = t.JWTSecret
	if len(t.FeatureFlags) > 0 {
		fields["feature_flags"] = plain(t.FeatureFlags)
	}
	if len(t.Extensions) > 0 {
		fields["extensions"] = extensionTrees(t.Extensions)
	}
	dropEmpty(fields)
	return fields
}

func extensionTrees(extensions []tutti.TenantExtension) []any {
	trees := make([]any, 0, len(extensions))
	for _, e := range extensions {
		fields := map[string]any{
			"type": e.Type, "inserted_at": timestamp(e.InsertedAt), "updated_at": timestamp(e.UpdatedAt),
		}
		dropEmpty(fields)
		if len(e.Settings) > 0 {
			fields["settings"] = plain(e.Settings)
		}
		trees = append(trees, fields)
	}
	return trees
}

func dropEmpty(fields map[string]any) {
	maps.DeleteFunc(fields, func(_ string, v any) bool { return v == "" })
}

// timestamp writes a time, and nothing for the time that was never noted.
func timestamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// plain returns a value with the kinds that encoding/json makes.
func plain(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var decoded any
	if json.Unmarshal(raw, &decoded) != nil {
		return v
	}
	return decoded
}

// ChangedFields names the fields of the tenants API in which two tenants differ,
// in the order of their documentation; settings of an extension are not told
// apart. A nil tenant has no fields. It is for logs: there are no values in it.
func ChangedFields(before, after *tutti.Tenant) []string {
	a, b := map[string]any{}, map[string]any{}
	if before != nil {
		a = tree(before)
	}
	if after != nil {
		b = tree(after)
	}
	var names []string
	for _, name := range fieldOrder {
		if name != "updated_at" && !reflect.DeepEqual(a[name], b[name]) {
			names = append(names, name)
		}
	}
	return slices.Clip(names)
}

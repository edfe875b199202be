package tenant

import (
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// variables is an environment.
type variables map[string]string

func (v variables) get(name string) string { return v[name] }

func read(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseReadsEveryField(t *testing.T) {
	env := variables{"ACME_SECRET": "s3cret", "DB_PASSWORD": "0123"}
	got, err := parse(read(t, "testdata/tenants.yaml"), "tenants.yaml", env.get, StandardDefaults())
	if err != nil {
		t.Fatal(err)
	}
	acme := &tutti.Tenant{
		ExternalID: "acme", Name: "Acme Music", JWTSecret: "s3cret",
		MaxConcurrentUsers: 0, MaxEventsPerSecond: 500, MaxJoinsPerSecond: 60, MaxChannelsPerClient: 1,
		MaxBytesPerSecond: 2, MaxPresenceEventsPerSecond: 3, MaxPayloadSizeKB: 4,
		ClientPresenceMaxCalls: 7, ClientPresenceWindow: 1500 * time.Millisecond,
		PresenceEnabled: true, PrivateOnly: true, Suspend: true,
		PostgresCDCDefault: "other", BroadcastAdapter: "phoenix",
		FeatureFlags: map[string]bool{"bright": true, "dark": false},
		InsertedAt:   time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		UpdatedAt:    time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		Extensions: []tutti.TenantExtension{
			{Type: "postgres_cdc_rls", Settings: map[string]any{
				"db_host": "db.internal", "db_port": "5432", "db_name": "acme", "db_user": "tutti",
				"db_password": "0123", "region": "eu-central-1", "ssl_enforced": false,
				"poll_interval_ms": 100.0, "poll_max_changes": 7.0, "poll_max_record_bytes": 1048576.0,
				"publication": "supabase_realtime", "slot_name": "supabase_realtime_replication_slot",
				"subcriber_pool_size": 9.0,
			}},
			{Type: "music", Settings: map[string]any{
				"rooms": []any{1.0, "two", map[string]any{"three": 3.5}}, "key": "s3cret",
			}},
		},
	}
	digits := StandardDefaults().Tenant("127")
	digits.JWTJWKS = json.RawMessage(`{"keys":[{"k":"AAAA","kid":"a","kty":"oct"}]}`)
	keys := StandardDefaults().Tenant("text-keys")
	keys.JWTJWKS = json.RawMessage(`{"keys":[]}`)
	want := []*tutti.Tenant{acme, digits, keys}
	if len(got) != len(want) {
		t.Fatalf("%d tenants, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
}

func TestParseNamesEveryFault(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(read(t, path), "tenants.yaml", variables{}.get, StandardDefaults())
			if err == nil {
				t.Fatal("no fault was found")
			}
			golden := filepath.Join("testdata/faults", name+".txt")
			got := err.Error() + "\n"
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(read(t, golden)); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

func TestParseReadsOnlyTheCommentsOfAFile(t *testing.T) {
	_, err := parse([]byte("# nothing yet\n"), "f", variables{}.get, StandardDefaults())
	if err == nil || !strings.Contains(err.Error(), "tenants: is required") {
		t.Errorf("got %v", err)
	}
	got, err := parse([]byte("# nobody\ntenants: []\n"), "f", variables{}.get, StandardDefaults())
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// rendered is a tenant as the fields of a tenants file.
func rendered(t *tutti.Tenant) map[string]any {
	m := map[string]any{
		"external_id": t.ExternalID, "name": t.Name,
		"max_concurrent_users": t.MaxConcurrentUsers, "max_events_per_second": t.MaxEventsPerSecond,
		"max_joins_per_second": t.MaxJoinsPerSecond, "max_channels_per_client": t.MaxChannelsPerClient,
		"max_bytes_per_second": t.MaxBytesPerSecond, "max_presence_events_per_second": t.MaxPresenceEventsPerSecond,
		"max_payload_size_in_kb":                t.MaxPayloadSizeKB,
		"max_client_presence_events_per_window": t.ClientPresenceMaxCalls,
		"client_presence_window_ms":             t.ClientPresenceWindow.Milliseconds(),
		"presence_enabled":                      t.PresenceEnabled, "private_only": t.PrivateOnly, "suspend": t.Suspend,
		"postgres_cdc_default": t.PostgresCDCDefault, "broadcast_adapter": t.BroadcastAdapter,
		"inserted_at": t.InsertedAt.Format(time.RFC3339Nano), "updated_at": t.UpdatedAt.Format(time.RFC3339Nano),
		"feature_flags": t.FeatureFlags, "jwt_secret": t.JWTSecret,
	}
	if t.JWTJWKS != nil {
		m["jwt_jwks"] = string(t.JWTJWKS)
	}
	list := []any{}
	for _, e := range t.Extensions {
		list = append(list, map[string]any{"type": e.Type, "settings": e.Settings})
	}
	m["extensions"] = list
	return m
}

// tenants draws a tenant that a tenants file can hold.
func tenants(t *rapid.T) *tutti.Tenant {
	limit := rapid.IntRange(0, math.MaxInt32)
	words := rapid.StringMatching(`[ -~äπ\n\t"'#:{}\[\]&*!|>%@]{1,12}`).Filter(func(s string) bool {
		return !strings.HasPrefix(s, "env:")
	})
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), 0).UTC()
	})
	settings := rapid.MapOf(rapid.StringMatching(`[a-z_]{1,8}`), rapid.OneOf(
		rapid.Map(words, func(s string) any { return s }),
		rapid.Map(rapid.Int32(), func(n int32) any { return float64(n) }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	))
	tenant := &tutti.Tenant{
		ExternalID: rapid.StringMatching(`[a-z0-9_-]{1,20}`).Draw(t, "id"), Name: words.Draw(t, "name"),
		JWTSecret:          words.Draw(t, "secret"),
		MaxConcurrentUsers: limit.Draw(t, "users"), MaxEventsPerSecond: limit.Draw(t, "events"),
		MaxJoinsPerSecond: limit.Draw(t, "joins"), MaxChannelsPerClient: limit.Draw(t, "channels"),
		MaxBytesPerSecond: limit.Draw(t, "bytes"), MaxPresenceEventsPerSecond: limit.Draw(t, "presence"),
		MaxPayloadSizeKB: limit.Draw(t, "payload"), ClientPresenceMaxCalls: limit.Draw(t, "calls"),
		ClientPresenceWindow: time.Duration(limit.Draw(t, "window")) * time.Millisecond,
		PresenceEnabled:      rapid.Bool().Draw(t, "enabled"), PrivateOnly: rapid.Bool().Draw(t, "private"),
		Suspend: rapid.Bool().Draw(t, "suspend"), PostgresCDCDefault: words.Draw(t, "cdc"),
		BroadcastAdapter: words.Draw(t, "adapter"), FeatureFlags: rapid.MapOf(words, rapid.Bool()).Draw(t, "flags"),
		InsertedAt: moment.Draw(t, "inserted"), UpdatedAt: moment.Draw(t, "updated"),
	}
	if rapid.Bool().Draw(t, "keys") {
		tenant.JWTJWKS = json.RawMessage(`{"keys":[{"kid":"a"}]}`)
	}
	if rapid.Bool().Draw(t, "music") {
		tenant.Extensions = append(tenant.Extensions, tutti.TenantExtension{Type: "music", Settings: settings.Draw(t, "music")})
	}
	if rapid.Bool().Draw(t, "database") {
		all := settings.Draw(t, "settings")
		for _, name := range databaseSettings {
			all[name] = words.Draw(t, name)
		}
		tenant.Extensions = append(tenant.Extensions, CompleteExtension(tutti.TenantExtension{Type: "postgres", Settings: maps.Clone(all)}))
	}
	return tenant
}

// block renders what JSON could hold as YAML in block style. Text is quoted, with
// single quotes where it can.
func block(v any, indent string) string {
	var b strings.Builder
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.WriteString("\n" + indent + block(name, "") + ": " + block(v[name], indent+"  "))
		}
	case []any:
		for _, item := range v {
			b.WriteString("\n" + indent + "- " + block(item, indent+"  "))
		}
	case string:
		if !strings.ContainsAny(v, "\n\t") {
			return "'" + strings.ReplaceAll(v, "'", "''") + "'"
		}
	}
	if b.Len() > 0 {
		return b.String()
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func TestParseReadsBackWhatWasRendered(t *testing.T) {
	for name, render := range map[string]func(map[string]any) string{
		"as blocks": func(v map[string]any) string { return block(v, "") },
		"as JSON": func(v map[string]any) string {
			raw, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				panic(err)
			}
			return string(raw)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				want := tenants(t)
				raw := render(map[string]any{"tenants": []any{rendered(want)}})
				got, err := parse([]byte(raw), "f", variables{}.get, Defaults{})
				if err != nil {
					t.Fatalf("%v\n%s", err, raw)
				}
				if !reflect.DeepEqual(got, []*tutti.Tenant{want}) {
					t.Fatalf("got  %+v\nwant %+v\n%s", got[0], want, raw)
				}
			})
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/faults/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			// The one with too many values would take all of the time.
			if !strings.Contains(path, "too-many") {
				f.Add(read(f, path))
			}
		}
	}
	f.Add([]byte(`{"tenants":[{"external_id":"a","jwt_secret":"b"}]}`))
	f.Add([]byte("tenants: &a\n  - <<: [*a, {external_id: b}]\n    ? [c]\n    : d\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tenants, err := parse(raw, "f", variables{"A": "a"}.get, StandardDefaults())
		if err != nil {
			if tenants != nil {
				t.Error("tenants and an error")
			}
			return
		}
		seen := make(map[string]bool)
		for _, tenant := range tenants {
			if tenant.ExternalID == "" || seen[tenant.ExternalID] {
				t.Errorf("%q is empty or there twice", tenant.ExternalID)
			}
			if tenant.JWTSecret == "" && tenant.JWTJWKS == nil {
				t.Errorf("%q has no secret", tenant.ExternalID)
			}
			seen[tenant.ExternalID] = true
		}
	})
}

package tenant

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

const goodDatabase = `{"type": "postgres", "settings": {"region": "eu", "db_host": "h", "db_port": "5432", ` +
	`"db_name": "n", "db_user": "u", "db_password": "p", "postgres_changes_pool": 9, "subcriber_pool_size": 1, "db_pool": null}}`

// known is a tenant that is there already.
func known() *tutti.Tenant {
	t := StandardDefaults().Tenant("acme")
	t.ID, t.Name, t.JWTSecret, t.Suspend = "id", "Acme", "s", true
	t.MaxEventsPerSecond, t.ClientPresenceMaxCalls, t.ClientPresenceWindow = 7, 8, 9*time.Second
	t.BroadcastAdapter, t.FeatureFlags = "other", map[string]bool{"old": true}
	t.InsertedAt, t.UpdatedAt = noon.Add(-time.Hour), noon.Add(-time.Hour)
	t.Extensions = []tutti.TenantExtension{
		{Type: "music", Settings: map[string]any{"rooms": 1.0}, InsertedAt: noon.Add(-2 * time.Hour), UpdatedAt: noon.Add(-time.Hour)},
		{Type: "other", Settings: map[string]any{}, InsertedAt: noon.Add(-2 * time.Hour), UpdatedAt: noon.Add(-time.Hour)},
	}
	return t
}

func TestReviseCreates(t *testing.T) {
	got, err := Defaults{MaxJoinsPerSecond: 3}.Revise(nil, "new", json.RawMessage(`{
		"external_id": "other", "name": "other", "jwt_secret": "s", "max_concurrent_users": "+12", "private_only": "1",
		"client_presence_window_ms": 1500, "feature_flags": {"a": true}, "broadcast_adapter": "phoenix",
		"jwt_jwks": { "keys": [ {"kty": "oct"} ] }, "unknown": {}, "extensions": [`+goodDatabase+`]}`), noon.Add(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults{MaxJoinsPerSecond: 3}.Tenant("new")
	want.JWTSecret, want.JWTJWKS = "s", json.RawMessage(`{"keys":[{"kty":"oct"}]}`)
	want.MaxConcurrentUsers, want.PrivateOnly, want.ClientPresenceWindow = 12, true, 1500*time.Millisecond
	want.FeatureFlags, want.BroadcastAdapter = map[string]bool{"a": true}, "phoenix"
	want.InsertedAt, want.UpdatedAt = noon, noon
	want.Extensions = []tutti.TenantExtension{{
		Type: DatabaseExtension, InsertedAt: noon, UpdatedAt: noon,
		Settings: map[string]any{
			"region": "eu", "db_host": "h", "db_port": "5432", "db_name": "n", "db_user": "u", "db_password": "p",
			"subcriber_pool_size": 9.0, "poll_interval_ms": 100.0, "poll_max_changes": 100.0, "poll_max_record_bytes": 1048576.0,
			"publication": "supabase_realtime", "slot_name": "supabase_realtime_replication_slot",
		},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReviseChangesNothingElse(t *testing.T) {
	for name, tt := range map[string]struct {
		fields string
		change func(t *tutti.Tenant)
	}{
		"nothing is given":        {`{}`, func(*tutti.Tenant) {}},
		"names that do not exist": {`{"id": 1, "inserted_at": "x"}`, func(*tutti.Tenant) {}},
		"a number":                {`{"max_events_per_second": 8}`, func(t *tutti.Tenant) { t.MaxEventsPerSecond = 8 }},
		"null puts defaults back": {
			`{"name": null, "max_events_per_second": null, "max_client_presence_events_per_window": null, "client_presence_window_ms": null,
			  "suspend": null, "broadcast_adapter": null, "feature_flags": null, "postgres_cdc_default": null}`,
			func(t *tutti.Tenant) {
				t.Name, t.MaxEventsPerSecond, t.ClientPresenceMaxCalls, t.ClientPresenceWindow = "acme", 100, 0, 0
				t.Suspend, t.BroadcastAdapter, t.FeatureFlags = false, "gen_rpc", nil
			},
		},
		"empty text is null": {
			`{"name": " ", "max_events_per_second": "", "suspend": "", "feature_flags": ""}`,
			func(t *tutti.Tenant) {
				t.Name, t.MaxEventsPerSecond, t.Suspend, t.FeatureFlags = "acme", 100, false, nil
			},
		},
		"a secret goes for keys": {
			`{"jwt_secret": null, "jwt_jwks": {"keys": []}}`,
			func(t *tutti.Tenant) { t.JWTSecret, t.JWTJWKS = "", json.RawMessage(`{"keys":[]}`) },
		},
		"of names that are there twice the last one counts": {`{"name": "a", "name": "b"}`, func(t *tutti.Tenant) { t.Name = "b" }},
		"extensions take the place of those before": {
			`{"extensions": [{"type": "third", "settings": {"a": [null]}}, {"type": "music", "settings": {"rooms": 1}}]}`,
			func(t *tutti.Tenant) {
				third := tutti.TenantExtension{Type: "third", Settings: map[string]any{"a": []any{nil}}, InsertedAt: noon, UpdatedAt: noon}
				t.Extensions = []tutti.TenantExtension{third, t.Extensions[0]}
			},
		},
		"settings that change have a date": {
			`{"extensions": [{"type": "music", "settings": {"rooms": 2}}]}`,
			func(t *tutti.Tenant) {
				music := t.Extensions[0]
				music.Settings, music.UpdatedAt = map[string]any{"rooms": 2.0}, noon
				t.Extensions = []tutti.TenantExtension{music}
			},
		},
		"no extensions": {`{"extensions": []}`, func(t *tutti.Tenant) { t.Extensions = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			before, want := known(), known()
			tt.change(want)
			want.UpdatedAt = noon
			got, err := StandardDefaults().Revise(before, "acme", json.RawMessage(tt.fields), noon)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
			if !reflect.DeepEqual(before, known()) {
				t.Error("the tenant before was changed")
			}
		})
	}
}

func TestReviseNamesEveryFault(t *testing.T) {
	for name, tt := range map[string]struct {
		fields string
		want   string
	}{
		"no object":                    {`[]`, `{"tenant":["is invalid"]}`},
		"text that is none":            {`{"name": 1, "jwt_secret": {}, "postgres_cdc_default": []}`, `{"jwt_secret":["is invalid"],"name":["is invalid"],"postgres_cdc_default":["is invalid"]}`},
		"truth that is none":           {`{"suspend": 1, "private_only": "yes", "presence_enabled": {}}`, `{"presence_enabled":["is invalid"],"private_only":["is invalid"],"suspend":["is invalid"]}`},
		"numbers that are none":        {`{"max_events_per_second": 1e3, "max_joins_per_second": "1 ", "max_bytes_per_second": true, "max_payload_size_in_kb": [1]}`, `{"max_bytes_per_second":["is invalid"],"max_events_per_second":["is invalid"],"max_joins_per_second":["is invalid"],"max_payload_size_in_kb":["is invalid"]}`},
		"a number out of reach":        {`{"max_events_per_second": 99999999999999999999}`, `{"max_events_per_second":["must be less than or equal to 2147483647"]}`},
		"a number below nothing":       {`{"max_events_per_second": "-99999999999999999999"}`, `{"max_events_per_second":["must be greater than or equal to 0"]}`},
		"flags that are none":          {`{"feature_flags": []}`, `{"feature_flags":["is invalid"]}`},
		"a flag that is none":          {`{"feature_flags": {"a": "true"}}`, `{"feature_flags":["must have nothing but true and false in it"]}`},
		"keys that are none":           {`{"jwt_jwks": "x"}`, `{"jwt_jwks":["is invalid"]}`},
		"keys that are no set":         {`{"jwt_jwks": {"keys": {}}}`, `{"jwt_jwks":["must be a JSON Web Key Set, {\"keys\": [...]}"]}`},
		"an adapter that is not known": {`{"broadcast_adapter": "redis"}`, `{"broadcast_adapter":["is invalid"]}`},
		"zeros in texts":               {`{"name": "a\u0000", "jwt_jwks": {"keys": [{"\u0000": 1}]}}`, `{"jwt_jwks":["is invalid"],"name":["is invalid"]}`},
		"no secret and no keys":        {`{"jwt_secret": ""}`, `{"jwt_secret":["either jwt_secret or jwt_jwks must be provided"]}`},
		"extensions that are null":     {`{"extensions": null}`, `{"extensions":["is invalid"]}`},
		"an extension that is null":    {`{"extensions": [{}, null]}`, `{"extensions":["is invalid"]}`},
		"two of a type":                {`{"extensions": [{"type": "a", "settings": {}}, {"type": "a", "settings": {}}]}`, `{"extensions":[{},{"type":["has already been taken"]}]}`},
		"types that are none":          {`{"extensions": [{"type": 1, "settings": {}}, {"type": " ", "settings": {}}, {"type": "\u0000", "settings": {"a": "\u0000"}}]}`, `{"extensions":[{"type":["is invalid"]},{"type":["can't be blank"]},{"settings":["is invalid"],"type":["is invalid"]}]}`},
		"settings that are none":       {`{"extensions": [{"type": "a", "settings": []}, {"type": "b"}]}`, `{"extensions":[{"settings":["is invalid"]},{"settings":["can't be blank"]}]}`},
		"a database without its port":  {`{"extensions": [` + strings.Replace(goodDatabase, `"5432"`, `5432`, 1) + `]}`, `{"extensions":[{"settings":["db_port is invalid"]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := StandardDefaults().Revise(known(), "acme", json.RawMessage(tt.fields), noon)
			if got, _ := json.Marshal(err); string(got) != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
	for id, want := range map[string]string{"": blank, " ": blank, strings.Repeat("a", 256): "should be at most 255 byte(s)", "a\x00": notValid} {
		_, err := StandardDefaults().Revise(nil, id, json.RawMessage(`{"jwt_secret": "s", "extensions": []}`), noon)
		if got, ok := err.(Invalid); !ok || !reflect.DeepEqual(got, Invalid{"external_id": []string{want}}) {
			t.Errorf("%.10q: got %v", id, err)
		}
	}
}

func TestChangedFieldsAreNamed(t *testing.T) {
	after := known()
	after.JWTSecret, after.Extensions, after.UpdatedAt = "new", nil, noon
	if got := ChangedFields(known(), after); !slices.Equal(got, []string{"jwt_secret", "extensions"}) {
		t.Errorf("got %v", got)
	}
	if got := ChangedFields(known(), known()); got != nil {
		t.Errorf("got %v", got)
	}
	if got := ChangedFields(known(), nil); !slices.Contains(got, "external_id") {
		t.Errorf("got %v", got)
	}
}

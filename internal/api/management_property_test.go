package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// fieldsOf draws fields of a tenant that are all right.
func fieldsOf(t *rapid.T) map[string]any {
	count := rapid.OneOf(
		rapid.Map(rapid.IntRange(0, 1<<31-1), func(n int) any { return float64(n) }),
		rapid.Map(rapid.IntRange(0, 1<<31-1), func(n int) any { return fmt.Sprint(n) }),
	)
	truth := rapid.SampledFrom([]any{true, false, "true", "false", "1", "0"})
	words := rapid.Map(rapid.StringMatching(`[^\x00]{0,12}x`), func(s string) any { return s })
	all := map[string]any{
		"name": words.Draw(t, "name"), "jwt_secret": words.Draw(t, "secret"),
		"jwt_jwks": map[string]any{"keys": []any{map[string]any{"kid": words.Draw(t, "kid")}}},
	}
	for _, name := range []string{
		"max_concurrent_users", "max_events_per_second", "max_joins_per_second", "max_channels_per_client",
		"max_client_presence_events_per_window", "client_presence_window_ms",
	} {
		all[name] = count.Draw(t, name)
	}
	for _, name := range []string{"presence_enabled", "private_only", "suspend"} {
		all[name] = truth.Draw(t, name)
	}
	settings := map[string]any{"poll_interval_ms": 1.0, "ssl_enforced": rapid.Bool().Draw(t, "ssl")}
	for _, name := range []string{"region", "db_host", "db_port", "db_name", "db_user", "db_password"} {
		settings[name] = words.Draw(t, name)
	}
	all["extensions"] = []any{
		map[string]any{"type": "postgres", "settings": settings},
		map[string]any{"type": "music", "settings": map[string]any{"rooms": []any{words.Draw(t, "room"), 1.5, nil}}},
	}
	return all
}

// expected returns what is shown of a field that was sent.
func expected(name string, sent any) any {
	switch s, is := sent.(string); {
	case is && name == "name":
		return s
	case is && (s == "true" || s == "1") && (name == "presence_enabled" || name == "private_only"):
		return true
	case is && (s == "false" || s == "0") && (name == "presence_enabled" || name == "private_only"):
		return false
	case is:
		var n float64
		_ = json.Unmarshal([]byte(s), &n)
		sent = n
	}
	if (name == "client_presence_window_ms" || name == "max_client_presence_events_per_window") && sent == 0.0 {
		return nil
	}
	return sent
}

func TestATenantThatIsPutIsReadBack(t *testing.T) {
	for kind, registry := range registries(t) {
		t.Run(kind, func(t *testing.T) {
			n := newManaged(registry, nil)
			rapid.Check(t, func(rt *rapid.T) {
				id := rapid.SampledFrom([]string{"a", "b-2", "_c"}).Draw(rt, "id")
				sent := fieldsOf(rt)
				_, err := registry.Find(context.Background(), id)
				create := err != nil
				if !create {
					for _, name := range rapid.SliceOf(rapid.SampledFrom([]string{"jwt_secret", "suspend", "extensions", "private_only"})).Draw(rt, "left") {
						delete(sent, name)
					}
				}
				body, err := json.Marshal(map[string]any{"tenant": sent})
				if err != nil {
					rt.Fatal(err)
				}
				written := n.manage(t, call{method: "PUT", path: "/api/tenants/" + id, body: string(body)})
				if want := map[bool]int{true: 201, false: 200}[create]; written.Code != want {
					rt.Fatalf("got %d %s for %s", written.Code, written.Body, body)
				}
				read := n.manage(t, call{method: "GET", path: "/api/tenants/" + id})
				if read.Code != 200 || read.Body.String() != written.Body.String() {
					rt.Fatalf("wrote %s, read %s", written.Body, read.Body)
				}
				checkShown(rt, read.Body.Bytes(), id, sent, create)
				stored, err := registry.Find(context.Background(), id)
				if err != nil || sent["jwt_secret"] != nil && stored.JWTSecret != sent["jwt_secret"] ||
					sent["suspend"] != nil && stored.Suspend != (sent["suspend"] == true || sent["suspend"] == "true" || sent["suspend"] == "1") {
					rt.Fatalf("stored %+v, %v", stored, err)
				}
			})
		})
	}
}

// checkShown compares an answer with the fields that were sent.
func checkShown(t *rapid.T, body []byte, id string, sent map[string]any, create bool) {
	var answer struct{ Data map[string]any }
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	for name, value := range answer.Data {
		was, there := sent[name]
		if create && name == "name" {
			was = id
		}
		if !there || name == "extensions" {
			continue
		}
		if want := expected(name, was); value != want {
			t.Fatalf("%s is %v, want %v", name, value, want)
		}
	}
	list, ok := sent["extensions"].([]any)
	if !ok {
		return
	}
	for i, e := range list {
		want, _ := e.(map[string]any)["settings"].(map[string]any)
		want = maps.Clone(want)
		delete(want, "db_password")
		got, _ := answer.Data["extensions"].([]any)[i].(map[string]any)["settings"].(map[string]any)
		for name, value := range want {
			if name == "db_host" || name == "db_port" || name == "db_name" || name == "db_user" {
				value = "g1:" + value.(string)
			}
			if !reflect.DeepEqual(got[name], value) {
				t.Fatalf("setting %s is %v, want %v", name, got[name], value)
			}
		}
	}
}

func FuzzTenantFields(f *testing.F) {
	f.Add([]byte(newTenant))
	f.Add([]byte(`{"tenant":{"jwt_secret":1,"jwt_jwks":{"keys":{}},"extensions":[{"type":2,"settings":[]},null],"feature_flags":{"a":2}}}`))
	f.Add([]byte(`{"tenant":{"jwt_secret":"\u0000","max_joins_per_second":"99999999999999999999","extensions":[{"type":"a","settings":{}},{"type":"a","settings":{"x":null}}]}}`))
	f.Add([]byte(`{"tenant":{"external_id":"x","broadcast_adapter":"x","jwt_secret":"s","extensions":[]},"tenant":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n := newManaged(&memory{all: map[string]*tutti.Tenant{}}, nil)
		for range 2 {
			w := n.manage(t, call{method: "PUT", path: "/api/tenants/acme", body: string(body)})
			if w.Code >= 500 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			stored, err := n.Management.Registry.Find(t.Context(), "acme")
			if (w.Code < 300) != (err == nil) {
				t.Fatalf("got %d, and then %v", w.Code, err)
			}
			if err == nil && (stored.ExternalID != "acme" || stored.JWTSecret == "" && stored.JWTJWKS == nil || stored.MaxJoinsPerSecond < 0) {
				t.Fatalf("stored %+v", stored)
			}
		}
		w := n.manage(t, call{method: "POST", path: "/api/tenants/acme/disconnect", body: string(body)})
		if w.Code >= 500 && w.Code != 501 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	})
}

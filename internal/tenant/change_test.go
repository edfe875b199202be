package tenant

import (
	"encoding/json"
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestDisconnects(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*tutti.Tenant)
		want   bool
	}{
		"nothing changed":               {func(*tutti.Tenant) {}, false},
		"another secret":                {func(t *tutti.Tenant) { t.JWTSecret = "new" }, true},
		"other keys":                    {func(t *tutti.Tenant) { t.JWTJWKS = json.RawMessage(`{"keys":[{}]}`) }, true},
		"no more keys":                  {func(t *tutti.Tenant) { t.JWTJWKS = nil }, true},
		"the same keys, other spaces":   {func(t *tutti.Tenant) { t.JWTJWKS = json.RawMessage(`{ "a":1, "keys":[] }`) }, false},
		"keys that are not JSON":        {func(t *tutti.Tenant) { t.JWTJWKS = json.RawMessage(`{`) }, true},
		"private channels only":         {func(t *tutti.Tenant) { t.PrivateOnly = true }, true},
		"suspended":                     {func(t *tutti.Tenant) { t.Suspend = true }, true},
		"another limit":                 {func(t *tutti.Tenant) { t.MaxEventsPerSecond = 1 }, false},
		"another database":              {func(t *tutti.Tenant) { t.Extensions = []tutti.TenantExtension{{Type: "music"}} }, false},
		"presence for everyone":         {func(t *tutti.Tenant) { t.PresenceEnabled = true }, false},
		"another name, another feature": {func(t *tutti.Tenant) { t.Name, t.FeatureFlags = "x", map[string]bool{"a": true} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := tutti.Tenant{JWTSecret: "old", JWTJWKS: json.RawMessage(`{"keys":[],"a":1}`)}
			after := before
			tt.change(&after)
			if got := Disconnects(&before, &after); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDisconnectsWhoseTenantIsDeleted(t *testing.T) {
	if !Disconnects(&tutti.Tenant{}, nil) {
		t.Error("deletion disconnects nobody")
	}
	if Disconnects(nil, &tutti.Tenant{}) || Disconnects(nil, nil) {
		t.Error("who is there to disconnect from a new tenant?")
	}
}

package api

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A tenantJSON is a tenant as it is shown, with the keys of the reference in its
// order. Secrets and keys are never shown.
type tenantJSON struct {
	ID                     string          `json:"id"`
	ExternalID             string          `json:"external_id"`
	Name                   string          `json:"name"`
	MaxConcurrentUsers     int             `json:"max_concurrent_users"`
	MaxChannelsPerClient   int             `json:"max_channels_per_client"`
	MaxEventsPerSecond     int             `json:"max_events_per_second"`
	MaxJoinsPerSecond      int             `json:"max_joins_per_second"`
	InsertedAt             *naiveTime      `json:"inserted_at"`
	PrivateOnly            bool            `json:"private_only"`
	ClientPresenceMaxCalls *int            `json:"max_client_presence_events_per_window"`
	ClientPresenceWindow   *int            `json:"client_presence_window_ms"`
	PresenceEnabled        bool            `json:"presence_enabled"`
	Extensions             []extensionJSON `json:"extensions"`
}

type extensionJSON struct {
	Type       string         `json:"type"`
	InsertedAt *naiveTime     `json:"inserted_at"`
	UpdatedAt  *naiveTime     `json:"updated_at"`
	Settings   map[string]any `json:"settings"`
}

// A naiveTime is shown as the reference shows times: in UTC, without saying so.
type naiveTime time.Time

// MarshalText writes the time in seconds.
func (n naiveTime) MarshalText() ([]byte, error) {
	return time.Time(n).UTC().AppendFormat(nil, "2006-01-02T15:04:05"), nil
}

// noted returns a time for an answer, nil when it is not known.
func noted(at time.Time) *naiveTime {
	if at.IsZero() {
		return nil
	}
	return (*naiveTime)(&at)
}

// positive returns nil for a number that stands for the server's own setting.
func positive(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}

// show returns a tenant as it is shown.
func (g *registrar) show(t *tutti.Tenant) (tenantJSON, error) {
	shown := tenantJSON{
		ID: identity(t), ExternalID: t.ExternalID, Name: t.Name,
		MaxConcurrentUsers: t.MaxConcurrentUsers, MaxChannelsPerClient: t.MaxChannelsPerClient,
		MaxEventsPerSecond: t.MaxEventsPerSecond, MaxJoinsPerSecond: t.MaxJoinsPerSecond,
		InsertedAt: noted(t.InsertedAt), PrivateOnly: t.PrivateOnly,
		ClientPresenceMaxCalls: positive(t.ClientPresenceMaxCalls),
		ClientPresenceWindow:   positive(int(t.ClientPresenceWindow.Milliseconds())),
		PresenceEnabled:        t.PresenceEnabled,
		Extensions:             make([]extensionJSON, 0, len(t.Extensions)),
	}
	for _, e := range t.Extensions {
		settings, err := g.showSettings(e)
		if err != nil {
			return tenantJSON{}, fmt.Errorf("show tenant %q: %w", t.ExternalID, err)
		}
		shown.Extensions = append(shown.Extensions, extensionJSON{e.Type, noted(e.InsertedAt), noted(e.UpdatedAt), settings})
	}
	return shown, nil
}

// sealed are the settings of a database that are shown encrypted.
var sealed = [...]string{"db_host", "db_port", "db_name", "db_user"}

func (g *registrar) showSettings(e tutti.TenantExtension) (map[string]any, error) {
	settings := maps.Clone(e.Settings)
	if settings == nil {
		settings = map[string]any{}
	}
	maps.DeleteFunc(settings, func(name string, _ any) bool { return isSecret(name) || g.secretOf(e.Type, name) })
	if e.Type != tenant.DatabaseExtension {
		return settings, nil
	}
	for _, name := range sealed {
		open, there := settings[name]
		delete(settings, name)
		if !there || g.Sealer == nil {
			continue
		}
		s, ok := open.(string)
		if !ok {
			return nil, errors.New("setting " + name + " is not text")
		}
		secret, err := g.Sealer.Seal(s)
		if err != nil {
			return nil, fmt.Errorf("seal setting %s: %w", name, err)
		}
		settings[name] = secret
	}
	return settings, nil
}

// secretOf reports whether an extension says that a setting is a secret.
func (g *registrar) secretOf(kind, name string) bool {
	if g.Extensions == nil {
		return false
	}
	for i := range g.Extensions.Extensions {
		if e := &g.Extensions.Extensions[i]; e.Key == kind && slices.Contains(e.Secrets, name) {
			return true
		}
	}
	return false
}

// isSecret reports whether a setting of any extension is not for showing, as
// db_password is. Extensions that nobody knows here have secrets too.
func isSecret(name string) bool {
	for _, word := range []string{"password", "secret", "token", "api_key", "apikey", "private_key"} {
		if strings.Contains(strings.ToLower(name), word) {
			return true
		}
	}
	return false
}

// idSpace is the space of names in which identity makes its UUIDs.
const idSpace = "\x9d\x1b\x6c\x52\x0e\x37\x4f\xa8\xb1\x64\x2a\xc9\x05\xd3\x78\xee"

// identity returns the UUID of a tenant. One whose store has none gets a UUID of
// version 5, made of its external id, which is the same each time.
//
// Specification: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5
func identity(t *tutti.Tenant) string {
	if t.ID != "" {
		return t.ID
	}
	sum := sha1.Sum([]byte(idSpace + t.ExternalID))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	x := hex.EncodeToString(sum[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

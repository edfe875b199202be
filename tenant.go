package tutti

import (
	"encoding/json"
	"time"
)

// A Tenant is one customer of the server: its secrets, its limits and its
// database. A *Tenant that is in use is never changed; a change is a new one.
// Zero limits mean what they say: nothing is allowed.
type Tenant struct {
	ID         string // surrogate id, a UUID; empty for stores that have none
	ExternalID string // first label of the host by which clients reach it
	Name       string

	JWTSecret string          // for HS256, HS384 and HS512; "" when JWKS has all keys
	JWTJWKS   json.RawMessage // {"keys":[...]}, or empty

	MaxConcurrentUsers         int // sockets with at least one joined channel
	MaxEventsPerSecond         int
	MaxJoinsPerSecond          int
	MaxChannelsPerClient       int
	MaxBytesPerSecond          int // stored and shown, never enforced, as in the reference
	MaxPresenceEventsPerSecond int
	MaxPayloadSizeKB           int // kilobytes of 1000 bytes

	// ClientPresenceMaxCalls calls per ClientPresenceWindow are allowed to each
	// channel. Zero means the server's setting.
	ClientPresenceMaxCalls int
	ClientPresenceWindow   time.Duration

	PresenceEnabled bool // presence is on for every channel, asked for or not
	PrivateOnly     bool // public channels are refused
	Suspend         bool // everything is refused

	PostgresCDCDefault string
	BroadcastAdapter   string
	FeatureFlags       map[string]bool
	Extensions         []TenantExtension

	InsertedAt, UpdatedAt time.Time
}

// A TenantExtension holds a tenant's settings for one extension. The tenant's
// database itself is the extension "postgres_cdc_rls".
type TenantExtension struct {
	Type                  string
	Settings              map[string]any
	InsertedAt, UpdatedAt time.Time
}

// PayloadLimit returns the largest payload in bytes that the tenant may send in
// one message: its kilobytes, and 500 bytes of grace.
func (t *Tenant) PayloadLimit() int { return t.MaxPayloadSizeKB*1000 + 500 }

// A TenantQuery chooses tenants. They come in the order of their external ids.
type TenantQuery struct {
	Search    string // part of the external id or the name, in any case; "" is any
	Suspended *bool  // those that are suspended, or are not; nil is both
	After     string // external id behind which the page begins; "" is the first page
	Limit     int    // tenants of a page; 0 leaves it to the store
}

// A TenantPage is a part of the tenants that a TenantQuery chose.
type TenantPage struct {
	Tenants []*Tenant
	Next    string // After of the next page; "" when this is the last
}

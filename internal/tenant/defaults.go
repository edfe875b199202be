package tenant

import "github.com/tutti-realtime/tutti"

// standardAdapter is the reference's name for how its nodes talk to each other.
// It is stored and shown, and means nothing here.
const standardAdapter = "gen_rpc"

// Defaults are the limits of a tenant that does not name its own. But for the last
// the fields are those of tutti.Tenant; zero allows nothing.
type Defaults struct {
	MaxConcurrentUsers         int
	MaxEventsPerSecond         int
	MaxJoinsPerSecond          int
	MaxChannelsPerClient       int
	MaxBytesPerSecond          int
	MaxPresenceEventsPerSecond int
	MaxPayloadSizeKB           int

	// Extensions are those whose settings Revise checks.
	Extensions []tutti.Extension
}

// StandardDefaults returns the limits of a server that was told nothing
// (protocol.md §7.2).
func StandardDefaults() Defaults {
	return Defaults{
		MaxConcurrentUsers:         200,
		MaxEventsPerSecond:         100,
		MaxJoinsPerSecond:          100,
		MaxChannelsPerClient:       100,
		MaxBytesPerSecond:          100_000,
		MaxPresenceEventsPerSecond: 1000,
		MaxPayloadSizeKB:           3000,
	}
}

// Tenant returns a new tenant with these limits. It has no secret yet.
func (d Defaults) Tenant(externalID string) *tutti.Tenant {
	return &tutti.Tenant{
		ExternalID:                 externalID,
		Name:                       externalID,
		MaxConcurrentUsers:         d.MaxConcurrentUsers,
		MaxEventsPerSecond:         d.MaxEventsPerSecond,
		MaxJoinsPerSecond:          d.MaxJoinsPerSecond,
		MaxChannelsPerClient:       d.MaxChannelsPerClient,
		MaxBytesPerSecond:          d.MaxBytesPerSecond,
		MaxPresenceEventsPerSecond: d.MaxPresenceEventsPerSecond,
		MaxPayloadSizeKB:           d.MaxPayloadSizeKB,
		PostgresCDCDefault:         DatabaseExtension,
		BroadcastAdapter:           standardAdapter,
	}
}

package cluster

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Member is one node of the cluster.
type Member struct {
	ID        string             `json:"-"`
	Epoch     uint64             `json:"-"` // Unix time of its start in nanoseconds
	Region    string             `json:"region,omitempty"`
	Version   string             `json:"version,omitempty"`
	Addresses []string           `json:"addresses,omitempty"` // where clients reach it
	Buckets   int                `json:"buckets,omitempty"`   // see Settings.Buckets
	Missed    uint64             `json:"missed,omitempty"`    // messages that were lost on their way to it
	Load      map[string]float64 `json:"load,omitempty"`      // what Bus.Load says of it
	// RoundTrips is what it measures to other nodes, in ms by their ID.
	RoundTrips map[string]float64 `json:"round_trips,omitempty"`

	Self      bool          `json:"-"`
	RoundTrip time.Duration `json:"-"` // of a heartbeat and its confirmation, 0 when not known yet
	Silent    time.Duration `json:"-"` // since it was heard
}

// Started returns when the node started.
func (m Member) Started() time.Time { return time.Unix(0, int64(m.Epoch)) }

// EventKind says what happened to a member.
type EventKind uint8

// A node that comes back after it was lost, or restarted, joins again.
const (
	Joined EventKind = iota + 1
	Left             // it said goodbye, or has begun a new life
	Lost             // it was silent for longer than Settings.Lost
)

// String returns the kind for logs.
func (k EventKind) String() string {
	switch k {
	case Joined:
		return "joined"
	case Left:
		return "left"
	case Lost:
		return "lost"
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// An Event is a change of the cluster as this node sees it.
type Event struct {
	Kind   EventKind
	Member Member
}

// decodeMember reads what a node says of itself. Fields that this release does
// not know are those of a newer one.
func decodeMember(info []byte) (m Member, err error) {
	if err := json.Unmarshal(info, &m); err != nil {
		return Member{}, fmt.Errorf("read a heartbeat: %w", err)
	}
	return m, nil
}

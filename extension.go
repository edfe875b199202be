package tutti

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// An Extension is a part of a server that its owner may have written himself:
// it imports this package and no other of the server's, and cmd/tutti names it
// in a list. What it says of itself does not change while the server runs. All
// fields but Key may be empty.
//
// The server lends it rooms. A room is a topic that Rooms matches, with somebody
// in it. It has one Actor in the whole cluster, which hears its members one
// after another in a goroutine of its own, wherever they are connected. What goes
// wrong in a room stays there: an actor that panics is opened anew from what it
// kept, one that hangs is left behind, and nobody else notices.
type Extension struct {
	// Key names the extension: it is the type of its settings in a tenant's list
	// of extensions, and stands in its routes, /api/extensions/KEY/..., and
	// metrics, tutti_KEY_... . Lower-case letters, digits and underscores.
	Key string

	// Settings reads what a tenant says in {"type": KEY, "settings": {...}}, with
	// values of the kinds that encoding/json makes, and returns what rooms and
	// requests are given. An error, which names the setting and says what it may
	// be, refuses the tenant. It is pure. Without it the map itself is given.
	Settings func(settings map[string]any) (any, error)
	// Secrets are the settings that are encrypted at rest and never shown.
	Secrets []string
	// Everywhere says that tenants have the extension without asking for it, with
	// Settings of an empty map.
	Everywhere bool

	// Rooms reports whether a topic is a room, by what stands behind "realtime:".
	Rooms func(settings any, topic string) bool
	// Bare says that rooms can be joined without "realtime:" as well: as channels
	// of their own, which are other rooms with the same actor's mind.
	Bare bool
	// Linger is how long what a room has kept outlives its last member, so that
	// a class that reconnects finds it. Without it that is a minute.
	Linger func(settings any) time.Duration
	// Open makes the actor of a room, in the goroutine of the room. An error
	// refuses all who want to join.
	Open func(Room) (Actor, error)
	// Events reports whether an event is for the actor: a broadcast by that name goes
	// to it and to nobody else. All others pass it by, as in any topic. It is pure.
	Events func(name string) bool
	// Reserved are the events that rooms send and nobody else may: a broadcast by such
	// a name, in whatever case of letters, that comes from a client, over HTTP or
	// from a database goes nowhere where Rooms matches its topic. They are none of Events'.
	Reserved []string
	// Instant answers what must not wait for the room: it is called where the
	// event came in, with the time at which its bytes were read, and what it
	// returns goes to the sender at once. It must take microseconds, and share
	// nothing. It is asked about the events that Events names, and what it does not
	// answer goes to the actor.
	Instant func(e *Event, received time.Time) (event string, payload []byte, answered bool)

	// Migrations are for the databases of tenants that have the extension: files
	// NAME.sql at the root, run in the order of their names, once each, in
	// a transaction each.
	Migrations fs.FS

	// Routes are under /api/extensions/KEY. A tenant's token is needed for them.
	Routes []ExtensionRoute
	// Metrics are shown at /metrics. They are asked for each time.
	Metrics func() []Metric
}

// Read reads settings of the extension, as Settings does, which may not even panic.
func (e *Extension) Read(settings map[string]any) (value any, err error) {
	if e.Settings == nil {
		return settings, nil
	}
	defer func() {
		if fault := recover(); fault != nil {
			value, err = nil, fmt.Errorf("the settings made the extension panic: %v", fault)
		}
	}()
	return e.Settings(settings)
}

// Reserves reports whether only rooms may send an event: one of Reserved, or
// ExtensionError. Letters are compared as clients do, which take "Beat" for "beat",
// as the language of their user has it.
func (e *Extension) Reserves(event string) bool {
	const dotted = "\u0130" // what Turkish has for a capital i
	if strings.Contains(event, dotted) {
		event = strings.ReplaceAll(event, dotted, "i")
	}
	if strings.EqualFold(event, ExtensionError) {
		return true
	}
	for _, name := range e.Reserved {
		if strings.EqualFold(name, event) {
			return true
		}
	}
	return false
}

// A Room is what the server does for an actor. Its methods may be called from
// the room's goroutine only, until Close returns, unless they say otherwise. None
// blocks.
type Room interface {
	Context() context.Context // ends with the room
	Topic() Topic
	Settings() any // of the tenant, as they are now
	Log() *slog.Logger
	Now() time.Time // the server's clock

	// Broadcast sends an event, with a JSON object, to all in the topic, on all
	// nodes, as a client's broadcast would come. It keeps payload.
	Broadcast(event string, payload []byte)
	// Tell sends it to one member alone. One that is gone hears nothing.
	Tell(m *Member, event string, payload []byte)
	// Members are those in the room, in the order of their joins.
	Members() []*Member
	// Presence returns who is present in the topic, as of now, as presence_state
	// has it.
	Presence() json.RawMessage

	// Wake makes the room call Actor.Wake at a time of Now's. A later call takes
	// the place of an earlier one; the zero time is never.
	Wake(at time.Time)
	// Keep gives the server what Restored returns to the next actor of the room:
	// after a panic, on another node, when the room was empty for less than
	// Extension.Linger says. It is copied to the other nodes with members, or to
	// one other node where there are none; what a node keeps in its last tenth of
	// a second may be lost with it. A megabyte at most.
	Keep(state []byte)
	// Restored returns what was kept last, and how: on this node, or by one that
	// was lost. It is nil for a room that is new.
	Restored() (state []byte, lost bool)

	// Skew returns how the clock that Now shows compares to that of the node which kept
	// what Restored returns: not at all where that was this one. Nodes compare their
	// clocks all the time; known is false for a node that was never heard.
	Skew() (s Skew, known bool)

	// Go runs work beside the room, and then what it returns, unless that is
	// nil, in the room's goroutine. A panic in it is one of the room's. Four run
	// at a time, in their order; it reports false when a thousand wait already,
	// and work will not be run. The context ends with the room.
	Go(work func(context.Context) (then func())) bool
	// Database is that of the tenant, for use in Go. It is nil where there is none.
	Database() ExtensionDatabase
}

// A Skew is how the clock of this node compares to another's.
type Skew struct {
	Ahead time.Duration // it shows so much more
	Bound time.Duration // Ahead is wrong by so much at most
}

// A Member is a channel in a room.
type Member struct {
	ID     string          // unique in the cluster
	Claims Claims          // of the token that the channel has now
	Key    string          // of its presence; "" when it has named none
	Join   json.RawMessage // the payload of its join, without tokens; nil for more than 64 KB
}

// ExtensionError is the event by which a member hears that what it sent did not
// reach its actor: {"code": ..., "reason": ..., "event": ...}.
const ExtensionError = "extension_error"

// An Event is a broadcast of a member that is for the actor of its room.
type Event struct {
	Member  *Member
	Name    string          // such as "play_note"
	Payload json.RawMessage // an object
	At      time.Time       // when its bytes were read
}

// An Actor is the mind of a room. Its methods are called one after another in
// the room's goroutine. They should not block: Room.Go is for what takes
// long. One that is in a call for longer than 5 s is taken to hang.
type Actor interface {
	// Join is told of a member. An error refuses it, with its text.
	Join(*Member) error
	Leave(*Member)
	// Hear takes an event of a member.
	Hear(*Event)
	// Wake is called when the time has come that Room.Wake was told.
	Wake(now time.Time)
	// Close is the end of the room on this node: it is empty, or goes elsewhere.
	Close()
}

// An ExtensionDatabase is a tenant's database. Its methods block.
type ExtensionDatabase interface {
	// As runs f in a transaction in the role and with the claims of a member, so
	// that policies hold. It is rolled back when f returns an error, which is
	// returned then.
	As(ctx context.Context, c *Claims, f func(Tx) error) error
	// Owner is As with the role that the tenant's settings name.
	Owner(ctx context.Context, f func(Tx) error) error
}

// A Tx is a transaction.
type Tx interface {
	// Exec runs a statement and returns how many rows it touched.
	Exec(ctx context.Context, sql string, args ...any) (rows int64, err error)
	// Query runs one and calls row for each row, with a function that scans its
	// columns into pointers.
	Query(ctx context.Context, sql string, row func(scan func(dest ...any) error) error, args ...any) error
}

// An ExtensionRoute is an HTTP route of an extension.
type ExtensionRoute struct {
	Method, Path string // of http.ServeMux, below /api/extensions/KEY
	Serve        func(http.ResponseWriter, *http.Request, *ExtensionRequest)
}

// An ExtensionRequest is what a route is given besides the request.
type ExtensionRequest struct {
	Tenant   string
	Settings any
	Claims   Claims
	Database ExtensionDatabase // nil: the tenant has none
}

// A Metric is a number that an extension shows, or a histogram.
type Metric struct {
	Name    string // behind tutti_KEY_, such as rooms or notes_total
	Help    string
	Counter bool // it only grows; else it is a gauge
	Value   float64

	// Histogram, unless nil, is shown in place of Value.
	Histogram *Histogram
}

// A Histogram is how values were spread since the start.
type Histogram struct {
	Bounds []float64 // the greatest value of each bucket, in ascending order
	Counts []uint64  // values in each bucket, and at the end those above all bounds
	Sum    float64   // of all values
}

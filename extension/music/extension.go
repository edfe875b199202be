package music

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A house is what the rooms of one server share.
type house struct {
	server string // another one for each start of a server
	stats  *stats
	watch  *watch
}

// Extension returns the music classroom as an extension of the server.
func Extension() tutti.Extension {
	return newHouse().extension()
}

func newHouse() *house {
	server := rand.Text()
	return &house{server: server, stats: &stats{}, watch: newWatch(server)}
}

func (h *house) extension() tutti.Extension {
	return tutti.Extension{
		Key:        "music",
		Settings:   func(given map[string]any) (any, error) { return ReadSettings(given) },
		Rooms:      func(settings any, topic string) bool { return settings.(*Settings).isRoom(topic) },
		Bare:       true,
		Linger:     func(settings any) time.Duration { return settings.(*Settings).EndAfter },
		Open:       h.open,
		Events:     isEvent,
		Reserved:   saidByRooms(),
		Instant:    h.pong,
		Migrations: migrations(),
		Routes:     routes(),
		Metrics:    h.stats.metrics,
	}
}

// isRoom reports whether a topic is a room. Its name is the rest.
func (s *Settings) isRoom(topic string) bool {
	return len(topic) > len(s.Prefix) && strings.HasPrefix(topic, s.Prefix)
}

// isEvent reports whether an event is for the room: what members may send.
func isEvent(name string) bool {
	_, known := Least(name)
	return known
}

// saidByRooms are the events that only rooms send, so that nobody can speak for one.
func saidByRooms() []string {
	return []string{
		TempoChanged, MeterChanged, TransportChanged, IntervalChanged,
		RoomState, RosterEvent, ClockPong, AnswerEvent, Refused, BeatDue, IntervalDue, NotePlayed,
		TakeStarted, TakeStopped, TakeScore, TakeTable, TakenOver,
	}
}

// What the room says, besides the names of changes.
const (
	RoomState   = "room_state"   // all that a late joiner needs
	RosterEvent = "roster"       // who is there
	ClockPong   = "clock_pong"   // the answer to clock_ping
	AnswerEvent = "answer"       // a command was obeyed
	Refused     = "refused"      // it was not
	BeatDue     = "beat"         // a beat that is about to come
	IntervalDue = "interval"     // an interval that is about to begin
	NotePlayed  = "student_note" // a key went down or up
	TakeStarted = "take_started"
	TakeStopped = "take_stopped"
	TakeScore   = "take_score" // to a student
	TakeTable   = "take_table" // to those who lead
	TakenOver   = "take_over"  // another node goes on
)

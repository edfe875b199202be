package music

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/tuttitest"
)

// A class is a room of a test, with a house of its own.
type class struct {
	*tuttitest.Server
	t     *testing.T
	house *house
	room  *tuttitest.Room
}

func newClass(t *testing.T, settings map[string]any) *class {
	t.Helper()
	h := newHouse()
	s := tuttitest.New(t, h.extension(), settings)
	return &class{s, t, h, s.Room("music_room:7b")}
}

// memberAs returns a member whose token has a subject and a role.
func memberAs(id, role string) tutti.Member {
	raw := fmt.Sprintf(`{"sub":%q,"app_metadata":{"music_role":%q}}`, id, role)
	return tutti.Member{Key: id, Claims: tutti.Claims{Role: "authenticated", Subject: id, Raw: json.RawMessage(raw)}}
}

// enter has somebody join.
func (c *class) enter(id, role string) *pupil {
	c.t.Helper()
	return &pupil{c.room.MustJoin(memberAs(id, role)), c.t, nil}
}

// A pupil is a client who remembers what was heard.
type pupil struct {
	*tuttitest.Client
	t     *testing.T
	heard []tuttitest.Message
}

// say sends an event; the payload is JSON.
func (p *pupil) say(event, payload string) {
	p.t.Helper()
	p.Send(event, json.RawMessage(payload))
}

// all returns the payloads of all events of a name, and forgets them.
func (p *pupil) all(event string) (payloads []string) {
	p.heard = append(p.heard, p.Heard()...)
	kept := p.heard[:0]
	for _, m := range p.heard {
		if m.Event == event {
			payloads = append(payloads, m.Payload)
		} else {
			kept = append(kept, m)
		}
	}
	p.heard = kept
	return payloads
}

// last returns the last payload of a name.
func (p *pupil) last(event string) (payload string) {
	p.t.Helper()
	all := p.all(event)
	if len(all) == 0 {
		p.t.Fatalf("%s has not heard %s, but %v", p.Member().Key, event, p.heard)
	}
	return all[len(all)-1]
}

// forget drops what was heard.
func (p *pupil) forget() { p.heard = nil; p.Heard() }

// decode reads JSON, or fails.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// refused fails unless the last refusal has a code.
func (p *pupil) refused(code string) {
	p.t.Helper()
	if r := decode[refusedPayload](p.t, p.last(Refused)); r.Code != code {
		p.t.Errorf("%s is refused with %q (%s), not with %q", p.Member().Key, r.Code, r.Reason, code)
	}
}

// beats returns the beats that were heard, and forgets them.
func (p *pupil) beats() (all []heardBeat) {
	p.t.Helper()
	for _, text := range p.all(BeatDue) {
		var w heardBeat
		if err := json.Unmarshal([]byte(text), &w); err != nil {
			p.t.Fatal(err)
		}
		all = append(all, w)
	}
	return all
}

// A heardBeat is the payload of a beat, but for its accent.
type heardBeat struct {
	Beat    int64  `json:"beat"`
	Bar     int64  `json:"bar"`
	InBar   int    `json:"beat_in_bar"`
	Tempo   Tempo  `json:"bpm"`
	At      Time   `json:"at"`
	Rev     uint64 `json:"rev"`
	CountIn bool   `json:"count_in"`
	Off     bool   `json:"off"`
}

// startOf is when a room of a test is opened.
var startOf = clock(tuttitest.Began)

func ahead(d time.Duration) Time { return startOf.Add(Span(d)) }

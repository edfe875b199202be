package extend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A desk is an event loop of a test: what is posted is done at once, one thing after
// another.
type desk struct {
	mu    sync.Mutex
	queue []func()
	busy  bool
}

func (d *desk) Post(_, _ int, f func()) bool {
	d.mu.Lock()
	d.queue = append(d.queue, f)
	if d.busy {
		d.mu.Unlock()
		return true
	}
	d.busy = true
	d.mu.Unlock()
	go d.work()
	return true
}

func (d *desk) work() {
	for {
		d.mu.Lock()
		if len(d.queue) == 0 {
			d.busy = false
			d.mu.Unlock()
			return
		}
		f := d.queue[0]
		d.queue = d.queue[1:]
		d.mu.Unlock()
		f()
	}
}

// A journal is what happened in a test, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) say(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

// A player is an actor that notes what it is told, and does as events say.
type player struct {
	room    tutti.Room
	journal *journal
	stuck   chan struct{}

	mu   sync.Mutex
	here []string
}

func (p *player) Join(m *tutti.Member) error {
	if m.Key == "unwanted" {
		return &tutti.Error{Reason: "you are not wanted here"}
	}
	p.journal.say("join %s", m.Key)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here = append(p.here, m.Key)
	return nil
}

func (p *player) Leave(m *tutti.Member) {
	p.journal.say("leave %s", m.Key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.here, m.Key); i >= 0 {
		p.here = slices.Delete(p.here, i, i+1)
	} else {
		p.journal.say("who left never came: %s", m.Key)
	}
}

func (p *player) Hear(e *tutti.Event) {
	switch e.Name {
	case "panic":
		panic("the actor was told to")
	case "hang":
		<-p.stuck
	case "keep":
		p.room.Keep(e.Payload)
	case "wake":
		p.room.Wake(p.room.Now().Add(time.Second))
	case "work":
		p.room.Go(func(context.Context) func() {
			return func() { p.journal.say("worked") }
		})
	case "break":
		p.room.Go(func(context.Context) func() { panic("work was told to") })
	case "linger":
		p.room.Go(func(context.Context) func() { <-p.stuck; return nil })
	case "echo":
		p.room.Tell(e.Member, "echo", e.Payload)
	case "all":
		p.room.Broadcast("all", e.Payload)
	}
	p.journal.say("hear %s %s", e.Member.Key, e.Name)
}

func (p *player) Wake(now time.Time) { p.journal.say("wake") }
func (p *player) Close()             { p.journal.say("close") }

// testT is what stages need of a test, *testing.T or a property's.
type testT interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// A stage is one node of a test.
type stage struct {
	t       testT
	host    *Host
	tenant  *tutti.Tenant
	journal *journal
	stuck   chan struct{}
	desk    desk
	stop    context.CancelFunc
	ended   chan struct{}

	mu      sync.Mutex
	players []*player
	sent    []string // broadcasts
}

// band is the extension of tests: rooms are topics that begin with "band".
func (s *stage) band() tutti.Extension {
	return tutti.Extension{
		Key: "band", Bare: true,
		Settings: func(settings map[string]any) (any, error) {
			if settings["size"] == "wrong" {
				return nil, errors.New("setting size must be a number")
			}
			return settings, nil
		},
		Rooms:  func(_ any, topic string) bool { return len(topic) >= 4 && topic[:4] == "band" },
		Events: func(name string) bool { return name != "others" },
		Open: func(room tutti.Room) (tutti.Actor, error) {
			state, lost := room.Restored()
			s.journal.say("open %s %v", state, lost)
			p := &player{room: room, journal: s.journal, stuck: s.stuck}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.players = append(s.players, p)
			return p, nil
		},
	}
}

func newStage(t testT, node string, bus cluster.Link) *stage {
	s := &stage{
		t: t, journal: &journal{}, stuck: make(chan struct{}), ended: make(chan struct{}),
		tenant: &tutti.Tenant{ExternalID: "acme", Extensions: []tutti.TenantExtension{{Type: "band"}}},
	}
	s.host = &Host{
		Extensions: []tutti.Extension{s.band()}, Node: node, Epoch: 1, Bus: bus, Loops: []Loop{&s.desk}, Portable: true,
		Log: slog.New(slog.DiscardHandler),
		Publish: func(_ *tutti.Tenant, m tutti.Message) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sent = append(s.sent, m.Event)
			return nil
		},
	}
	return s
}

func (s *stage) run() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		_ = s.host.Run(ctx)
		close(s.ended)
	}()
}

func (s *stage) end() {
	s.stop()
	<-s.ended
}

// A musician is a member, as a channel would be.
type musician struct {
	*Seat
	mu      sync.Mutex
	heard   []string
	refused string
}

func (s *stage) enter(key string) *musician { return s.enterRoom(key, "band") }

func (s *stage) enterRoom(key, topic string) *musician {
	m := &musician{}
	m.Seat = s.host.Enter(s.tenant, func() *tutti.Tenant { return s.tenant }, tutti.Topic{Tenant: "acme", Name: topic}, Guest{
		Member: tutti.Member{Key: key},
		Hear: func(event string, payload []byte) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.heard = append(m.heard, event+" "+string(payload))
		},
		Refuse: func(reason string) {
			m.mu.Lock()
			m.refused = reason
			m.mu.Unlock()
			m.Leave()
		},
	})
	if m.Seat == nil {
		s.t.Fatalf("%s is no room", topic)
	}
	return m
}

func (m *musician) say(event string) { m.Hear(event, []byte(`{"n":1}`), time.Now()) }

// expect compares what has happened, in a bubble of virtual time.
func (s *stage) expect(want ...string) {
	s.t.Helper()
	synctest.Wait()
	if got := s.journal.take(); !slices.Equal(got, want) {
		s.t.Fatalf("this happened:\n%q\nwant\n%q", got, want)
	}
}

// alone runs a test with one node, in virtual time.
func alone(t *testing.T, test func(s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "one", cluster.On(&cluster.Local{}, "extend"))
		s.run()
		defer s.end()
		test(s)
	})
}

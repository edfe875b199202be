package music

import (
	"crypto/rand"
	"time"

	"github.com/tutti-realtime/tutti"
)

// An actor is a room with people in it.
type actor struct {
	room  tutti.Room
	house *house
	set   *Settings // as they are now

	clock     *Clock
	announcer *Announcer
	intervals saidIntervals
	stage     Stage
	people    map[string]*person // by their ids
	seats     map[string]*seat   // by the ids of members
	given     map[string]Role    // by a teacher in the room
	parts     map[string]string
	take      *liveTake // nil: none
	lastTake  string    // the name of the latest
	agenda    agenda
	sent      rosterSent
	tables    *tables // nil: the tenant has no database

	// Until the row of the room is known all waits, so that no teacher of whom only
	// the row knows is refused.
	waiting []func()
	ready   bool
	load    *roomLoad
}

// maxWaiting is how much waits for the row of the room.
const maxWaiting = 2000

// open makes the actor of a room.
func (h *house) open(r tutti.Room) (tutti.Actor, error) {
	now := clock(r.Now())
	set := r.Settings().(*Settings)
	a := &actor{
		room: r, house: h, set: set,
		people: map[string]*person{}, seats: map[string]*seat{}, given: map[string]Role{}, parts: map[string]string{},
		load: h.stats.enter(r.Context()),
	}
	state, _ := r.Restored()
	before, restored := a.restore(state, now)
	if !restored {
		a.clock = &Clock{State: NewState(rand.Text(), now, set.Tempo, set.Meter)}
	}
	a.settle()
	a.announcer = NewAnnouncer(a.clock.State, now)
	a.openTables(before)
	a.keep()
	a.plan()
	return a, nil
}

// Join implements tutti.Actor.
func (a *actor) Join(m *tutti.Member) error {
	defer a.plan()
	a.settle()
	if len(a.seats) >= a.set.MaxMembers && a.set.claimed(m) < Assistant {
		return &tutti.Error{Reason: "the room is full"}
	}
	s := a.sit(m)
	a.later(func() { a.welcome(s) })
	return nil
}

// Leave implements tutti.Actor.
func (a *actor) Leave(m *tutti.Member) {
	defer a.plan()
	a.later(func() { a.rise(m.ID) })
}

// Hear implements tutti.Actor.
func (a *actor) Hear(e *tutti.Event) {
	defer a.plan()
	a.settle()
	a.later(func() { a.hear(e) })
}

// settle looks at what the settings are now.
func (a *actor) settle() {
	a.set = a.room.Settings().(*Settings)
	a.clock.Lead, a.stage.Rate = a.set.Lead, a.set.Notes
}

// Wake implements tutti.Actor.
func (a *actor) Wake(now time.Time) {
	defer a.plan()
	a.settle()
	for _, job := range a.agenda.due(now) {
		a.do(job, clock(now))
	}
}

// Close implements tutti.Actor.
func (a *actor) Close() {
	a.getReady()
	a.tables.close(a)
	a.keep()
}

// later does something, once the row of the room is known.
func (a *actor) later(f func()) {
	switch {
	case a.ready:
		f()
	case len(a.waiting) < maxWaiting:
		a.waiting = append(a.waiting, f)
	default: // a crowd: better without the row than not at all
		a.getReady()
		f()
	}
}

// getReady does what has waited.
func (a *actor) getReady() {
	if a.ready {
		return
	}
	a.ready = true
	for _, f := range a.waiting {
		f()
	}
	a.waiting = nil
}

// A job is something that the room does at a time.
type job int

const (
	sayBeats    job = iota
	sayRoster       // who is there has changed
	sayQuality      // of clocks
	keepState       // what can wait for a while
	endTake         // the end of a take has come
	scoreTake       // the last batches should be here
	giveUpOnRow     // the database does not answer
	tryTables       // what waits for them
	stillHere       // say so in the tables
	jobs
)

// An agenda is when the room does what, the zero time for never.
type agenda [jobs]time.Time

// soon does a job at a time, or before if that was planned.
func (g *agenda) soon(j job, at time.Time) {
	if g[j].IsZero() || at.Before(g[j]) {
		g[j] = at
	}
}

// due takes the jobs whose time has come.
func (g *agenda) due(now time.Time) []job {
	var jobs []job
	for j, at := range g {
		if !at.IsZero() && !at.After(now) {
			g[j] = time.Time{}
			jobs = append(jobs, job(j))
		}
	}
	return jobs
}

// next returns when there is something to do, the zero time for never.
func (g *agenda) next() (next time.Time) {
	for _, at := range g {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// plan has the room woken for what comes next.
func (a *actor) plan() {
	a.agenda[sayBeats] = time.Time{}
	if at, any := a.announcer.Wake(a.ahead()); any {
		a.agenda[sayBeats] = at.wall()
	}
	a.room.Wake(a.agenda.next())
}

func (a *actor) do(j job, now Time) {
	switch j {
	case sayBeats:
		a.announce(now)
	case sayRoster:
		a.sendRoster(now)
	case sayQuality:
		a.sendQuality()
	case keepState:
		a.keep()
	case endTake:
		a.endTake(now)
	case scoreTake:
		a.scoreTake()
	case giveUpOnRow:
		a.getReady()
	case tryTables:
		a.tables.send(a)
	case stillHere:
		a.tables.goOn(a)
	}
}

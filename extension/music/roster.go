package music

import (
	"cmp"
	"slices"
	"time"
)

// A quality is what a client says of its clock and its sound: ms, and ppm.
type quality struct {
	RoundTrip   *Span `json:"rtt"`
	Uncertainty *Span `json:"uncertainty"`
	Latency     *Span `json:"latency"`
	Drift       *Span `json:"drift_ppm"` // has a span's decimals
}

// An rosterEntry is a person as others see it.
type rosterEntry struct {
	Student string   `json:"student_id"`
	Name    string   `json:"name,omitempty"`
	Key     string   `json:"key,omitempty"`
	Role    Role     `json:"role"`
	Part    string   `json:"part,omitempty"`
	Quality *quality `json:"quality,omitempty"`
}

type rosterPayload struct {
	Members []rosterEntry `json:"members"`
	Hearing
}

// rosterSent is when what was sent last.
type rosterSent struct {
	roster, quality time.Time
}

const (
	// A class comes in within a second: the roster of each is not sent with each.
	rosterEvery = 100 * time.Millisecond
	// More members make it longer, and more of it: so that what is sent in a second
	// grows no more than with the members.
	rosterEach = 2 * time.Millisecond

	qualityEvery = time.Second
)

// roster returns who is there; full says that with the quality of their clocks.
func (a *actor) roster(full bool) rosterPayload {
	r := rosterPayload{Members: make([]rosterEntry, 0, len(a.people)), Hearing: a.stage.Hearing()}
	for _, p := range a.people {
		e := rosterEntry{Student: p.id, Name: p.name, Key: p.key, Role: p.role, Part: a.parts[p.id]}
		if full {
			e.Quality = p.quality
		}
		r.Members = append(r.Members, e)
	}
	slices.SortFunc(r.Members, func(a, b rosterEntry) int { return cmp.Compare(a.Student, b.Student) })
	return r
}

// rosterChanged has the roster sent: at once, or as soon as it may be sent again.
func (a *actor) rosterChanged() {
	every := max(rosterEvery, time.Duration(len(a.seats))*rosterEach)
	a.agenda.soon(sayRoster, latest(a.room.Now(), a.sent.roster.Add(every)))
}

// qualityChanged has those who lead told of it.
func (a *actor) qualityChanged() {
	a.agenda.soon(sayQuality, latest(a.room.Now(), a.sent.quality.Add(qualityEvery)))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sendRoster tells all who is there.
func (a *actor) sendRoster(now Time) {
	a.sent.roster = now.wall()
	thin, full := toJSON(a.roster(false)), toJSON(a.roster(true))
	for _, m := range a.room.Members() {
		s := a.seats[m.ID]
		switch {
		case s == nil:
		case s.person.role >= Assistant:
			a.room.Tell(m, RosterEvent, full)
		default:
			a.room.Tell(m, RosterEvent, thin)
		}
	}
}

// sendQuality tells those who lead.
func (a *actor) sendQuality() {
	a.sent.quality = a.room.Now()
	a.tellLeaders(RosterEvent, toJSON(a.roster(true)))
}

// parseReport reads clock_report.
func parseReport(payload []byte) (quality, error) {
	f := readFields(payload)
	const most = int64(Minute)
	span := func(name string, low int64) *Span {
		if _, there := f.get(name); !there {
			return nil
		}
		v := Span(f.fixed(name, timeDigits, low, most, 0))
		return &v
	}
	q := quality{
		RoundTrip: span("rtt_p50", 0), Uncertainty: span("uncertainty", 0),
		Latency: span("latency", 0), Drift: span("drift_ppm", -most),
	}
	return q, f.err()
}

// A welcomePayload is all that a late joiner needs.
type welcomePayload struct {
	Greeting
	You struct {
		Student string `json:"student_id"`
		Role    Role   `json:"role"`
	} `json:"you"`
	rosterPayload
	Take      *takePayload `json:"take"`
	Interval  *Interval    `json:"interval"`
	LookAhead Span         `json:"look_ahead_ms"`
	Beats     BeatMode     `json:"beats"`
}

// greet tells a member all.
func (a *actor) greet(s *seat) {
	if s.gone {
		return
	}
	p := s.person
	now := a.now()
	w := welcomePayload{
		Greeting:      Greeting{now, a.clock.State},
		rosterPayload: a.roster(p.role >= Assistant),
		LookAhead:     a.ahead(), Beats: a.set.Beats,
	}
	w.You.Student, w.You.Role = p.id, p.role
	if a.take != nil {
		w.Take = a.take.payload(a.clock.State)
	}
	if i, runs := a.clock.State.Running(now); runs {
		w.Interval = &i
	}
	a.room.Tell(s.member, RoomState, toJSON(w))
}

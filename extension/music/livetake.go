package music

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A liveTake is the take that a room plays, or that it waits for the last batches
// of.
type liveTake struct {
	Take
	by      string
	aborted bool
	over    bool // it has an end that has come, and is about to be scored
	onsets  int  // of all students
}

const (
	// takeGrace is how long after the end of a take batches still count: they come
	// about once a second.
	takeGrace = 1500 * time.Millisecond

	// A room keeps so many onsets of all its students for who takes over. With 25
	// bytes each they are a quarter of a megabyte, and what is more is lost with
	// the node.
	maxKeptOnsets = 10_000

	maxDots = 2000 // of a score that is sent

	// maxTakeChanges is how often the room's time may change in a take that is scored: its timeline
	// is never pruned.
	maxTakeChanges = 2 * maxKept

	// What is kept of a take is written anew each time: the larger it is, the less
	// often. The first hundred onsets are kept within 10 ms.
	keepEach = 100 * time.Microsecond // for each onset
)

type takePayload struct {
	Take    string   `json:"take"`
	Grading *Grading `json:"grading,omitempty"`
	Begin   Beat     `json:"begin"`
	End     *Beat    `json:"end,omitempty"`
	At      Time     `json:"at"`              // of the beginning; of take_stopped, of the end
	Until   *Time    `json:"until,omitempty"` // when the end is
	By      string   `json:"by,omitempty"`
	Aborted bool     `json:"aborted,omitempty"`
}

// payload says of a take what members must know.
func (t *liveTake) payload(s State) *takePayload {
	p := &takePayload{Take: t.ID, Grading: &t.Grading, Begin: t.Begin, At: s.Tempo.Time(t.Begin), By: t.by}
	if t.End < MaxBeat {
		end, until := t.End, s.Tempo.Time(t.End)
		p.End, p.Until = &end, &until
	}
	return p
}

// startTake begins a take at a beat or bar.
func (a *actor) startTake(s *seat, e *tutti.Event) error {
	grading, err := ParseGrading(e.Payload)
	if err != nil {
		return err
	}
	f := readFields(e.Payload)
	quantum := f.quantum()
	beats := f.whole("beats", 1, int64(MaxTake/OneBeat), 0)
	key := f.text("key", maxKey)
	if err := f.err(); err != nil {
		return err
	}
	id := takeID(a.clock.State.Epoch, s.person.id, key)
	switch {
	case id == a.lastTake:
		a.answerTake(s, e, id, true)
		return nil
	case a.take != nil && !a.take.over:
		return refuse(TakeRuns, "a take is under way: stop it first")
	}
	if a.take != nil {
		a.scoreTake()
	}
	now := a.now()
	t := &liveTake{by: s.person.id, Take: Take{
		ID: id, Grading: grading,
		Begin: a.clock.State.effect(quantum, now).Ceil(), End: MaxBeat, State: a.clock.State,
	}}
	if beats > 0 {
		t.End = t.Begin + Beat(beats)*OneBeat
	}
	a.take, a.lastTake = t, id
	a.planTake()
	a.keep()
	a.tables.takeBegins(a, t)
	a.room.Broadcast(TakeStarted, toJSON(t.payload(a.clock.State)))
	a.answerTake(s, e, id, false)
	return nil
}

// takeID returns the name of a new take. One that is asked for again, because the
// first answer was lost, has the name that it had.
func takeID(epoch, by, key string) string {
	if key == "" {
		return rand.Text()
	}
	return digest(epoch, by, key)
}

func (a *actor) answerTake(s *seat, e *tutti.Event, id string, repeated bool) {
	a.room.Tell(s.member, AnswerEvent, toJSON(answerPayload{
		Command: e.Name, Answer: Answer{Key: keyOf(e.Payload), Rev: a.clock.State.Rev, Repeated: repeated}, Take: id,
	}))
}

// planTake has the take end when its end has come.
func (a *actor) planTake() {
	a.agenda[endTake], a.agenda[scoreTake] = time.Time{}, time.Time{}
	switch t := a.take; {
	case t == nil:
	case t.over:
		a.agenda[scoreTake] = a.room.Now().Add(takeGrace)
	case t.End < MaxBeat:
		a.agenda[endTake] = a.clock.State.Tempo.Time(t.End).wall()
	default: // nobody stops it: what is longer is not scored
		a.agenda[endTake] = a.clock.State.Tempo.Time(t.Begin + MaxTake).wall()
	}
}

// stopTake ends the take at a beat or bar.
func (a *actor) stopTake(s *seat, e *tutti.Event) error {
	f := readFields(e.Payload)
	quantum := f.quantum()
	if err := f.err(); err != nil {
		return err
	}
	t := a.take
	if t == nil || t.over {
		return refuse(NoTake, "no take is under way")
	}
	now := a.now()
	t.End = min(t.End, max(t.Begin, a.clock.State.effect(quantum, now)))
	a.finishTake(s.person.id, now)
	a.answerTake(s, e, t.ID, false)
	return nil
}

// endTake ends a take whose end has come.
func (a *actor) endTake(now Time) {
	t := a.take
	t.End = min(t.End, t.Begin+MaxTake)
	if a.clock.State.Tempo.Time(t.End) > now { // the tempo has changed since
		a.planTake()
		return
	}
	a.finishTake("", now)
}

// finishTake says that a take is over, and waits for what students still have.
func (a *actor) finishTake(by string, now Time) {
	t := a.take
	t.over = true
	at := a.clock.State.Tempo.Time(t.End)
	p := t.payload(a.clock.State)
	p.Grading, p.Until, p.At, p.By, p.Aborted = nil, nil, at, by, t.aborted
	a.room.Broadcast(TakeStopped, toJSON(p))
	a.agenda[endTake] = time.Time{}
	a.agenda[scoreTake] = max(now, at).wall().Add(takeGrace)
	a.keep()
}

// follow keeps the take's timeline up to date.
func (t *liveTake) follow(a *actor, c Change) {
	if t.aborted {
		return
	}
	if !t.Follow(c) || t.State.size() > maxTakeChanges {
		t.aborted = true
	}
	if !t.over {
		a.planTake()
	}
}

// collect takes a batch of onsets.
func (a *actor) collect(s *seat, e *tutti.Event) error {
	b, err := ParseBatch(e.Payload)
	if err != nil {
		return err
	}
	t := a.take
	if t == nil || b.Take != t.ID {
		return refuse(NoTake, "that take is not under way")
	}
	if err := t.Add(s.person.id, b); err != nil {
		return err
	}
	t.onsets += len(b.Onsets)
	a.tables.onsets(a, s.person.id, b)
	a.agenda.soon(keepState, a.room.Now().Add(keepEach*time.Duration(t.onsets)))
	return nil
}

// scoreTake has the take's scores computed, and tells them.
func (a *actor) scoreTake() {
	t := a.take
	a.take = nil
	a.planTake()
	a.keep()
	if t.aborted {
		return
	}
	recordings := make([]Recording, 0, len(t.Students()))
	for _, student := range t.Students() {
		recordings = append(recordings, t.Recording(student))
	}
	// Thousands of onsets take long enough for a beat to be late.
	a.room.Go(func(context.Context) func() {
		scores := make([]Score, len(recordings))
		for i, r := range recordings {
			scores[i] = r.Score()
		}
		return func() { a.tellScores(t, scores) }
	})
}

type tablePayload struct {
	Take    string  `json:"take"`
	Grading Grading `json:"grading"`
	Scores  []Score `json:"scores"`
}

func (a *actor) tellScores(t *liveTake, scores []Score) {
	defer a.plan()
	table := tablePayload{t.ID, t.Grading, make([]Score, len(scores))}
	for i, s := range scores {
		table.Scores[i] = s.Summary()
		s.Dots = s.Dots[:min(len(s.Dots), maxDots)]
		if p := a.people[s.Student]; p != nil {
			a.tell(p, TakeScore, toJSON(s))
		}
	}
	a.tellLeaders(TakeTable, toJSON(table))
	a.tables.takeEnds(a, t, table.Scores)
}

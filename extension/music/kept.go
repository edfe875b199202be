package music

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"maps"
	"time"
)

// kept is all that a new actor of a room must know.
type kept struct {
	Server string            `json:"server"` // that kept it
	Clock  Clock             `json:"clock"`
	Given  map[string]Role   `json:"given,omitempty"`
	Parts  map[string]string `json:"parts,omitempty"`
	Hearing
	Take   *keptTake   `json:"take,omitempty"`
	Last   string      `json:"last_take,omitempty"`
	Tables *keptTables `json:"tables,omitempty"`
}

type keptTake struct {
	ID      string      `json:"id"`
	Grading Grading     `json:"grading"`
	Begin   Beat        `json:"begin"`
	End     Beat        `json:"end"`
	State   State       `json:"state"`
	By      string      `json:"by"`
	Aborted bool        `json:"aborted,omitempty"`
	Over    bool        `json:"over,omitempty"`
	Parts   []keptBatch `json:"parts"`
}

type keptBatch struct {
	Student string  `json:"student"`
	Seqs    []int64 `json:"seqs"`
	Onsets  []Onset `json:"onsets"`
}

// keep gives the server what a new actor must know.
func (a *actor) keep() {
	k := kept{Server: a.house.server, Clock: *a.clock, Given: a.given, Parts: a.parts, Hearing: a.stage.Hearing(), Last: a.lastTake, Tables: a.tables.kept()}
	if a.take != nil {
		k.Take = a.take.kept()
	}
	text := toJSON(k)
	if len(text) > maxState && k.Tables != nil { // rather the lesson than its minutes
		k.Tables.Queue = nil
		text = toJSON(k)
	}
	if len(text) > maxState {
		k.Take = nil
		text = toJSON(k)
	}
	a.room.Keep(text)
}

// maxState is the most that a room may keep, in bytes. It takes a thousand changes of tempo, a
// class that fills the hall, and a database that is away.
const maxState = 1 << 20

// kept returns what is kept of a take: all that its students played, as long as that
// is not too much.
func (t *liveTake) kept() *keptTake {
	k := &keptTake{t.ID, t.Grading, t.Begin, t.End, t.State, t.by, t.aborted, t.over, nil}
	left := maxKeptOnsets
	for _, student := range t.Students() {
		p := t.parts[student]
		if left -= len(p.onsets) + len(p.batches); left < 0 {
			continue
		}
		b := keptBatch{Student: student, Onsets: p.onsets}
		for seq := range p.batches {
			b.Seqs = append(b.Seqs, seq)
		}
		k.Parts = append(k.Parts, b)
	}
	return k
}

// restore takes what was kept, but for what is of the tables, which it returns. It
// reports false when that was nothing.
func (a *actor) restore(state []byte, now Time) (*keptTables, bool) {
	if state == nil {
		return nil, false
	}
	var k kept
	err := json.Unmarshal(state, &k)
	if err == nil && k.Clock.State.Rev == 0 {
		err = errNoClock
	}
	if err != nil {
		a.room.Log().Error("a music room begins anew, as what it kept cannot be read", "err", err)
		return nil, false
	}
	bridge := Bridge{Known: true, Measured: now}
	moved := k.Server != a.house.server
	if moved {
		bridge.Bound = max(a.apart(), k.Clock.Latest.Sub(now)) // it cannot have been later
	}
	c, over := k.Clock.Take(bridge, rand.Text(), now)
	a.clock = c
	a.stage.Restore(k.Hearing)
	maps.Copy(a.given, k.Given)
	maps.Copy(a.parts, k.Parts)
	a.lastTake = k.Last
	a.restoreTake(k.Take)
	if moved {
		a.house.stats.tookOver(over)
		a.room.Log().Info("a music room goes on here", "phase_error_ms", over.PhaseError.ms(), "discontinuity", over.Discontinuity)
		a.room.Broadcast(TakenOver, toJSON(over))
	}
	return k.Tables, true
}

// apart returns by how much our clock and that of the node which had the room before
// may differ: what the server has measured, or else as much as the operator lets
// clocks differ. All nodes count in Unix time, and the clients that stay know ours, so
// that the timeline is not moved by it: beats move for those who come from the other.
func (a *actor) apart() Span {
	s, known := a.room.Skew()
	if !known {
		return a.set.ClockError
	}
	ahead := min(max(s.Ahead, -time.Hour), time.Hour)
	return Span(max(ahead, -ahead) + min(max(s.Bound, 0), time.Hour))
}

var errNoClock = errors.New("there is no time of the room in it")

// restoreTake goes on with a take, whose timeline is the room's.
func (a *actor) restoreTake(k *keptTake) {
	if k == nil {
		return
	}
	t := &liveTake{by: k.By, aborted: k.Aborted, over: k.Over, Take: Take{
		ID: k.ID, Grading: k.Grading, Begin: k.Begin, End: k.End, State: k.State, parts: map[string]*part{},
	}}
	t.State.Rev, t.State.Epoch = a.clock.State.Rev, a.clock.State.Epoch
	for _, b := range k.Parts {
		p := &part{batches: map[int64]struct{}{}, onsets: b.Onsets}
		for _, seq := range b.Seqs {
			p.batches[seq] = struct{}{}
		}
		t.parts[b.Student] = p
		t.onsets += len(b.Onsets)
	}
	a.take = t
	a.planTake()
}

// ms returns milliseconds, for people.
func (d *Span) ms() float64 {
	if d == nil {
		return -1
	}
	return float64(*d) / float64(Millisecond)
}

// digest returns a name that stands for texts.
func digest(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		h.Write([]byte(text))
		h.Write([]byte{0})
	}
	const enough = 15 // bytes
	return base32.StdEncoding.EncodeToString(h.Sum(nil)[:enough])
}

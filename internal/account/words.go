package account

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Words knows of every broadcast that was sent, by whom, and whether the server
// said that it has it.
type Words struct {
	Margin time.Duration // a listener hears for certain what is said so long after he came and before he left

	mu    sync.Mutex  // guards all below
	words []Word      // by id, from 1
	left  []time.Time // of each connection, zero while it lasts
}

// A Word is one broadcast.
type Word struct {
	Connection int    // of the one who said it
	Room       string // tenant and topic
	Node       int
	At         time.Time
	Acked      bool // the server has said that it has it
	Unsaid     bool // it was not sent
}

// Enter returns the number of a new connection.
func (w *Words) Enter() (connection int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = append(w.left, time.Time{})
	return len(w.left) - 1
}

// Leave notes when a connection ended.
func (w *Words) Leave(connection int, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left[connection] = at
}

// Say notes a word that is about to be sent, and returns its id.
func (w *Words) Say(word Word) (id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words = append(w.words, word)
	return int64(len(w.words))
}

// Mark notes what became of a word.
func (w *Words) Mark(id int64, change func(*Word)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.words[id-1])
}

// Get returns a word, and false for an id that was never given.
func (w *Words) Get(id int64) (Word, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id < 1 || id > int64(len(w.words)) {
		return Word{}, false
	}
	return w.words[id-1], true
}

// Count returns how many words were said.
func (w *Words) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.words)
}

// An Attendance is one connection that listens, and what it heard.
type Attendance struct {
	Connection    int
	Room          string
	Node          int
	Joined, Ended time.Time // zero for not yet
	Words         []Arrival
}

// A WordBalance is what a listener heard, and should have.
type WordBalance struct {
	Due       int     // words that it should have heard, in calm
	Acked     int     // of these, those that the server said it has
	Heard     int     // all that it heard, each once
	Lost      []int64 // it should have heard them, and has not
	Swallowed []int64 // of these, those that the server said it has
	Missed    int     // words that trouble kept from it
	Doubled   []int64
	Strange   []int64 // of another room or tenant, its own, or nobody's
}

// Faults says what is wrong, "" when nothing is.
func (b *WordBalance) Faults() string {
	var all []string
	for _, f := range []struct {
		what string
		ids  []int64
	}{{"lost", b.Lost}, {"acknowledged and lost", b.Swallowed}, {"doubled", b.Doubled}, {"strange", b.Strange}} {
		if n := len(f.ids); n > 0 {
			all = append(all, fmt.Sprintf("%d %s (%v)", n, f.what, f.ids[:min(n, 12)]))
		}
	}
	return strings.Join(all, ", ")
}

// Audit compares what a listener heard with what was said in its room while it
// was there, and while nothing was wrong with its node or the speaker's.
func (w *Words) Audit(a Attendance, troubles *Troubles) (b WordBalance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := map[int64]bool{}
	for _, came := range a.Words {
		switch {
		case came.ID < 1 || came.ID > int64(len(w.words)):
			b.Strange = append(b.Strange, came.ID)
			continue
		case got[came.ID]:
			b.Doubled = append(b.Doubled, came.ID)
			continue
		}
		got[came.ID] = true
		if said := w.words[came.ID-1]; said.Room != a.Room || said.Connection == a.Connection {
			b.Strange = append(b.Strange, came.ID)
		}
	}
	b.Heard = len(got)
	for i, said := range w.words {
		if !w.due(said, a) {
			continue
		}
		id := int64(i) + 1
		switch {
		case !troubles.Calm(said.At, said.At.Add(w.Margin), said.Node, a.Node):
			if !got[id] {
				b.Missed++
			}
			continue
		case !got[id]:
			b.Lost = append(b.Lost, id)
			if said.Acked {
				b.Swallowed = append(b.Swallowed, id)
			}
		}
		b.Due++
		if said.Acked {
			b.Acked++
		}
	}
	return b
}

// due reports whether listener and speaker were there well before and after a word.
func (w *Words) due(said Word, a Attendance) bool {
	there := !said.Unsaid && said.Room == a.Room && said.Connection != a.Connection && !a.Joined.IsZero() &&
		said.At.After(a.Joined.Add(w.Margin)) && (a.Ended.IsZero() || said.At.Add(w.Margin).Before(a.Ended))
	if !there {
		return false
	}
	// What is said to a node that hangs up meanwhile may not have come there.
	left := w.left[said.Connection]
	return left.IsZero() || said.At.Add(w.Margin).Before(left)
}

// A Trouble is a time in which some nodes cannot do what they should.
type Trouble struct {
	What  string
	Nodes []int
	From  time.Time
	Until time.Time // zero while it lasts
}

// Troubles are all of a run.
type Troubles struct {
	mu  sync.Mutex // guards all
	all []Trouble
}

// Begin notes a trouble that begins, and returns what ends it.
func (t *Troubles) Begin(what string, from time.Time, nodes ...int) (end func(until time.Time)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := len(t.all)
	t.all = append(t.all, Trouble{What: what, Nodes: nodes, From: from})
	return func(until time.Time) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.all[i].Until = until
	}
}

// Calm reports whether nothing was wrong between two moments with any of some
// nodes, or with anything at all when none is named.
func (t *Troubles) Calm(from, to time.Time, nodes ...int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !slices.ContainsFunc(t.all, func(one Trouble) bool {
		during := one.From.Before(to) && (one.Until.IsZero() || one.Until.After(from))
		return during && (len(nodes) == 0 || slices.ContainsFunc(nodes, func(n int) bool { return slices.Contains(one.Nodes, n) }))
	})
}

package account

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Rows knows of every row that is written, who may see it and what became of
// its transaction.
type Rows struct {
	mu   sync.Mutex // guards all below
	rows []Row      // by id, from 1
}

// A Row is one that was written.
type Row struct {
	Message bool      // it comes as a broadcast
	Owner   string    // subject of the one who may see it; "" for all
	Begun   time.Time // when its commit was sent; zero when it was not yet
	Done    time.Time // when its commit was confirmed
	Fate    Fate
}

// A Fate is what became of a row's transaction.
type Fate uint8

// The fates.
const (
	Pending Fate = iota
	Committed
	Failed
	Unknown // the connection was lost while it was committed
)

// Add returns the ids of new rows for these owners: the first of them.
func (l *Rows) Add(owners []string, message bool) (first int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = int64(len(l.rows)) + 1
	for _, owner := range owners {
		l.rows = append(l.rows, Row{Owner: owner, Message: message})
	}
	return first
}

// Mark notes what happens to rows.
func (l *Rows) Mark(first int64, count int, change func(*Row)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range count {
		change(&l.rows[first-1+int64(i)])
	}
}

// A Hearing is what a client heard on one connection, which tells the account
// what it is promised.
type Hearing struct {
	Subject    string    // of its token
	Subscribed time.Time // since when it hears all; zero for never
	Ended      time.Time // of the connection; zero while it lasts
	Rows       []Arrival // in the order in which they came
}

// An Arrival is a row or a word that came.
type Arrival struct {
	ID int64
	At time.Time
}

// A Balance is what a client heard of the rows, and should have.
type Balance struct {
	Heard      int     // rows, each once
	Missing    []int64 // it should have heard them, and has not
	Doubled    []int64
	Strange    []int64 // it may not see them, or they were never committed
	Disordered []int64 // came behind rows that were committed later
}

// Faults says what is wrong, "" when nothing is.
func (a *Balance) Faults() string {
	var all []string
	for _, f := range []struct {
		what string
		ids  []int64
	}{{"lost", a.Missing}, {"doubled", a.Doubled}, {"strange", a.Strange}, {"disordered", a.Disordered}} {
		if n := len(f.ids); n > 0 {
			all = append(all, fmt.Sprintf("%d %s (%v)", n, f.what, f.ids[:min(n, 12)]))
		}
	}
	return strings.Join(all, ", ")
}

// Audit compares what a session heard with what was written. A session whose
// connection lasts has to have heard all that was committed after it was told
// that it is subscribed. One that has ended has heard what came before the last
// that it heard: a commit that was confirmed before another was sent comes
// before it in the log.
func (l *Rows) Audit(h Hearing) (a Balance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := map[int64]bool{}
	// The latest commits that were sent, of rows that came and of messages, which
	// have no order among each other.
	last := map[bool]time.Time{}
	for _, came := range h.Rows {
		switch {
		case came.ID < 1 || came.ID > int64(len(l.rows)):
			a.Strange = append(a.Strange, came.ID)
			continue
		case got[came.ID]:
			a.Doubled = append(a.Doubled, came.ID)
			continue
		}
		got[came.ID] = true
		r := &l.rows[came.ID-1]
		if r.Fate == Failed || !r.visible(h.Subject) {
			a.Strange = append(a.Strange, came.ID)
		}
		if r.Fate == Committed && r.Done.Before(last[r.Message]) {
			a.Disordered = append(a.Disordered, came.ID)
		}
		if r.Begun.After(last[r.Message]) {
			last[r.Message] = r.Begun
		}
	}
	a.Heard = len(got)
	if h.Subscribed.IsZero() {
		return a
	}
	for i := range l.rows {
		r := &l.rows[i]
		due := r.Fate == Committed && r.visible(h.Subject) && r.Begun.After(h.Subscribed) &&
			(h.Ended.IsZero() || r.Done.Before(last[r.Message]))
		if due && !got[int64(i)+1] {
			a.Missing = append(a.Missing, int64(i)+1)
		}
	}
	return a
}

func (r *Row) visible(sub string) bool { return r.Owner == "" || r.Owner == sub }

// FirstAfter returns how long after a moment a client heard the first row whose
// commit was sent after it.
func (l *Rows) FirstAfter(heard []Arrival, at time.Time) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, came := range heard {
		if came.ID < 1 || came.ID > int64(len(l.rows)) || came.At.Before(at) {
			continue
		}
		if r := &l.rows[came.ID-1]; r.Begun.After(at) && !r.Message {
			return came.At.Sub(at), true
		}
	}
	return 0, false
}

// Latencies returns how long rows took from the sending of their commit until
// the client heard them, in order of length, those committed in between two
// moments.
func (l *Rows) Latencies(heard []Arrival, from, to time.Time) (all []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, came := range heard {
		if came.ID < 1 || came.ID > int64(len(l.rows)) {
			continue
		}
		if r := &l.rows[came.ID-1]; r.Begun.After(from) && r.Begun.Before(to) && !r.Message {
			all = append(all, came.At.Sub(r.Begun))
		}
	}
	slices.Sort(all)
	return all
}

// Count returns how many rows were committed.
func (l *Rows) Count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.rows {
		if l.rows[i].Fate == Committed {
			n++
		}
	}
	return n
}

// Open returns the ids of rows of which nobody knows whether they were committed.
func (l *Rows) Open() (ids []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.rows {
		if l.rows[i].Fate == Unknown {
			ids = append(ids, int64(i)+1)
		}
	}
	return ids
}

// Get returns a row, and false for an id that was never given.
func (l *Rows) Get(id int64) (Row, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id < 1 || id > int64(len(l.rows)) {
		return Row{}, false
	}
	return l.rows[id-1], true
}

// Find returns the id of the first row that is as wished, 0 when none is.
func (l *Rows) Find(wished func(Row) bool) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(slices.IndexFunc(l.rows, wished)) + 1
}

//go:build linux

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A ledger knows of every row that is written, who may see it and what became of
// its transaction.
type ledger struct {
	mu   sync.Mutex // guards all below
	rows []row      // by id, from 1
}

// A row is one of notes, letters or messages.
type row struct {
	message bool      // it comes as a broadcast
	owner   string    // subject of the one who may see it; "" for all
	begun   time.Time // when its commit was sent; zero when it was not yet
	done    time.Time // when its commit was confirmed
	fate    fate
}

// A fate is what became of a row's transaction.
type fate uint8

const (
	pending fate = iota
	committed
	failed
	unknown // the connection was lost while it was committed
)

// add returns the ids of new rows for these owners: the first of them.
func (l *ledger) add(owners []string, message bool) (first int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = int64(len(l.rows)) + 1
	for _, owner := range owners {
		l.rows = append(l.rows, row{owner: owner, message: message})
	}
	return first
}

// mark notes what happens to rows.
func (l *ledger) mark(first int64, count int, change func(*row)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range count {
		change(&l.rows[first-1+int64(i)])
	}
}

// An account is what a session heard of the rows, and should have.
type account struct {
	heard      int     // rows, each once
	missing    []int64 // it should have heard them, and has not
	doubled    []int64
	strange    []int64 // it may not see them, or they were never committed
	disordered []int64 // came behind rows that were committed later
}

// faults says what is wrong, "" when nothing is.
func (a *account) faults() string {
	var all []string
	for _, f := range []struct {
		what string
		ids  []int64
	}{{"lost", a.missing}, {"doubled", a.doubled}, {"strange", a.strange}, {"disordered", a.disordered}} {
		if n := len(f.ids); n > 0 {
			all = append(all, fmt.Sprintf("%d %s (%v)", n, f.what, f.ids[:min(n, 12)]))
		}
	}
	return strings.Join(all, ", ")
}

// audit compares what a session heard with what was written. A session whose
// connection lasts has to have heard all that was committed after it was told
// that it is subscribed. One that has ended has heard what came before the last
// that it heard: a commit that was confirmed before another was sent comes
// before it in the log.
func (l *ledger) audit(s *session) (a account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := map[int64]bool{}
	// The latest commits that were sent, of rows that came and of messages, which
	// have no order among each other.
	last := map[bool]time.Time{}
	for _, came := range s.rows {
		switch {
		case came.id < 1 || came.id > int64(len(l.rows)):
			a.strange = append(a.strange, came.id)
			continue
		case got[came.id]:
			a.doubled = append(a.doubled, came.id)
			continue
		}
		got[came.id] = true
		r := &l.rows[came.id-1]
		if r.fate == failed || !r.visible(s.sub) {
			a.strange = append(a.strange, came.id)
		}
		if r.fate == committed && r.done.Before(last[r.message]) {
			a.disordered = append(a.disordered, came.id)
		}
		if r.begun.After(last[r.message]) {
			last[r.message] = r.begun
		}
	}
	a.heard = len(got)
	if s.subscribed.IsZero() {
		return a
	}
	for i := range l.rows {
		r := &l.rows[i]
		due := r.fate == committed && r.visible(s.sub) && r.begun.After(s.subscribed) &&
			(s.ended.IsZero() || r.done.Before(last[r.message]))
		if due && !got[int64(i)+1] {
			a.missing = append(a.missing, int64(i)+1)
		}
	}
	return a
}

func (r *row) visible(sub string) bool { return r.owner == "" || r.owner == sub }

// firstAfter returns how long after a moment a session heard the first row whose
// commit was sent after it.
func (l *ledger) firstAfter(s *session, at time.Time) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, came := range s.rows {
		if came.id < 1 || came.id > int64(len(l.rows)) || came.at.Before(at) {
			continue
		}
		if r := &l.rows[came.id-1]; r.begun.After(at) && !r.message {
			return came.at.Sub(at), true
		}
	}
	return 0, false
}

// latencies returns how long rows took from the sending of their commit until
// the session heard them, in order of length, those committed in between two
// moments.
func (l *ledger) latencies(s *session, from, to time.Time) (all []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, came := range s.rows {
		if came.id < 1 || came.id > int64(len(l.rows)) {
			continue
		}
		if r := &l.rows[came.id-1]; r.begun.After(from) && r.begun.Before(to) && !r.message {
			all = append(all, came.at.Sub(r.begun))
		}
	}
	slices.Sort(all)
	return all
}

// silence returns the longest time between two moments for which a session heard
// no row.
func (s *session) silence(from, to time.Time) (longest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := from
	for _, came := range s.rows {
		if came.at.After(from) && came.at.Before(to) {
			longest = max(longest, came.at.Sub(last))
			last = came.at
		}
	}
	return max(longest, to.Sub(last))
}

// count returns how many rows were committed.
func (l *ledger) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.rows {
		if l.rows[i].fate == committed {
			n++
		}
	}
	return n
}

// open returns the ids of rows of which nobody knows whether they were committed.
func (l *ledger) open() (ids []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.rows {
		if l.rows[i].fate == unknown {
			ids = append(ids, int64(i)+1)
		}
	}
	return ids
}

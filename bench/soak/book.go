//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A promise is one line of the table.
type promise string

// The promises, in the order of the table.
const (
	rowsLost     promise = "every commit that a client may see reaches it"
	rowsDoubled  promise = "no commit comes twice"
	rowsOrder    promise = "commits come in their order"
	rowsStrange  promise = "nobody hears a row that he may not see"
	kept         promise = "who stays is not hung up on but by a node in trouble"
	toldLost     promise = "nobody is told that changes were lost"
	replayed     promise = "a replay and what follows have no gap, nothing twice"
	intruders    promise = "who has no right does not join a private channel"
	wordsLost    promise = "no broadcast is lost without a word"
	wordsAcked   promise = "a broadcast that is acknowledged is delivered"
	wordsDoubled promise = "no broadcast comes twice"
	wordsStrange promise = "nobody hears another tenant"
	agreed       promise = "all agree on who is present"
	stuck        promise = "nobody stays present who is gone"
	beats        promise = "a lesson goes on, no beat is lost"
	state        promise = "a lesson goes on where it was"
	unison       promise = "all hear the same time for a beat"
	lives        promise = "clients that come and go, as rudely as they do, are served"
	vanished     promise = "who vanishes is hung up on"
	slow         promise = "who takes nothing is hung up on"
	expiry       promise = "a channel ends with its token"
	renewal      promise = "a new token keeps a channel"
	processes    promise = "no node breaks, and who is told to stop ends well"
	asBefore     promise = "everything is given back"
)

// how says how a promise is checked.
var how = map[promise]string{
	rowsLost:     "two tables under RLS and messages of SQL, numbered; every client that stays",
	rowsDoubled:  "the same",
	rowsOrder:    "the same",
	rowsStrange:  "one row in some is a stranger's, some were rolled back",
	kept:         "every end of a guest's connection or channel",
	toldLost:     "system messages",
	replayed:     "joins of a private channel with the last 10 s",
	intruders:    "joins by one whom the policy does not name",
	wordsLost:    "numbered; whoever is there, and neither his node nor the sender's is in trouble",
	wordsAcked:   "the same, of those that the server answered",
	wordsDoubled: "the same, in trouble too",
	wordsStrange: "two tenants in topics of one name",
	agreed:       "after every fault, what each guest knows against who is there",
	stuck:        "at the end, every room on every node",
	beats:        "members on several nodes; beats counted, in calm",
	state:        "the same; no beat of a revision comes again",
	unison:       "the same; times compared",
	lives:        "joins, presence, broadcasts, eight ways to part; in calm",
	vanished:     "joined, then silent",
	slow:         "sends and reads nothing",
	expiry:       "tokens of 3 s",
	renewal:      "the same, renewed in time",
	processes:    "exit status, panics in the logs",
	asBefore:     "connections, topics, goroutines, files, memory at rest against before",
}

// needed are those that a run which never tried them cannot be green without.
var needed = []promise{rowsLost, rowsDoubled, rowsOrder, rowsStrange, wordsLost, wordsAcked, wordsDoubled, wordsStrange, stuck, asBefore, processes}

// An entry is what was seen of a promise.
type entry struct {
	seen   int
	faults int
	said   []string // the first of them
	worst  string
	times  []time.Duration
}

// A book is what a run found.
type book struct {
	mu      sync.Mutex // guards all below
	entries map[promise]*entry
	remarks []string
}

func newBook() *book { return &book{entries: map[promise]*entry{}} }

// of returns the entry of a promise; the lock is held.
func (b *book) of(p promise) *entry {
	if b.entries[p] == nil {
		b.entries[p] = &entry{}
	}
	return b.entries[p]
}

// seen notes how often a promise was looked at.
func (b *book) seen(p promise, times int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(p).seen += times
}

// count returns how often a promise was looked at.
func (b *book) count(p promise) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of(p).seen
}

// most is how many faults of a promise are kept in words.
const most = 5

// fault notes that a promise was broken.
func (b *book) fault(p promise, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of(p)
	e.faults++
	if len(e.said) < most {
		e.said = append(e.said, fmt.Sprintf(format, args...))
	}
}

// took notes how long something took.
func (b *book) took(p promise, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(p).times = append(b.of(p).times, d)
}

// worst says in words what the worst was.
func (b *book) worst(p promise, what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(p).worst = what
}

// remark notes what a reader of the table should know.
func (b *book) remark(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remarks = append(b.remarks, fmt.Sprintf(format, args...))
}

// A verdict is on one promise.
type verdict string

const (
	green   verdict = "green"
	red     verdict = "red"
	untried verdict = "not tried"
)

// A line is one of the table.
type line struct {
	Promise string   `json:"promise"`
	How     string   `json:"how"`
	Times   int      `json:"times"`
	Broken  int      `json:"broken"`
	Worst   string   `json:"worst,omitempty"`
	P50     float64  `json:"p50_ms,omitempty"`
	Max     float64  `json:"max_ms,omitempty"`
	Faults  []string `json:"faults,omitempty"`
	Verdict verdict  `json:"verdict"`
}

// recovery is the promise that all is well again after a kind of fault.
func recovery(k kind) promise { return promise("all is well again after: " + string(k)) }

// order is the promises, in the order of the table.
func order() (all []promise) {
	all = []promise{
		rowsLost, rowsDoubled, rowsOrder, rowsStrange, toldLost, replayed, intruders, wordsLost, wordsAcked, wordsDoubled, wordsStrange,
		kept, agreed, stuck, beats, state, unison, lives, vanished, slow, expiry, renewal, processes, asBefore,
	}
	for _, k := range kinds {
		all = append(all, recovery(k))
	}
	return all
}

// lines judges, and returns the table.
func (b *book) lines() (all []line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range order() {
		e := b.of(p)
		l := line{Promise: string(p), How: cmp.Or(how[p], "cluster whole, rows reach every guest, presences agree"), Times: e.seen, Broken: e.faults, Worst: e.worst, Faults: e.said, Verdict: green}
		switch {
		case e.faults > 0, e.seen == 0 && slices.Contains(needed, p):
			l.Verdict = red
		case e.seen == 0:
			l.Verdict = untried
		}
		if len(e.times) > 0 {
			slices.Sort(e.times)
			l.P50, l.Max = milliseconds(quantile(e.times, 50)), milliseconds(e.times[len(e.times)-1])
		}
		all = append(all, l)
	}
	return all
}

// failed reports whether any line is red.
func failed(all []line) bool {
	return slices.ContainsFunc(all, func(l line) bool { return l.Verdict == red })
}

// quantile returns the value that so many percent are not longer than.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*percent/100]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

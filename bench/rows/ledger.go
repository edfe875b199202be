package main

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
)

// A ledger knows of every change, which has a number, when it was sent and who
// has heard of it. All but sent belongs to the goroutine of the clients.
type ledger struct {
	script *script
	seats  int
	began  time.Time
	sent   []atomic.Int64 // by number: nanoseconds since it began, 0 when it is not sent yet

	seen       []uint64 // a bit for each seat and number
	last       []int32  // by seat and writer: the largest number that came, plus 1
	latency    load.Histogram
	lastCame   time.Time
	warmed     int // deliveries of what is written before the measuring begins
	deliveries int
	duplicates int
	disordered int
	strays     int
}

func newLedger(s *script, seats int) *ledger {
	total := s.total()
	return &ledger{
		script: s, seats: seats, began: time.Now().Add(-time.Second), // so that no time is 0
		sent: make([]atomic.Int64, total),
		seen: make([]uint64, (seats*total+63)/64), last: make([]int32, seats*s.writers),
	}
}

// send notes that changes are sent now.
func (l *ledger) send(first, last int) {
	now := int64(time.Since(l.began))
	for n := first; n <= last; n++ {
		l.sent[n].Store(now)
	}
}

// hear notes what came for a seat, and reports whether it is a change.
func (l *ledger) hear(seat int, frame []byte, at time.Time) bool {
	n, ok := number(frame)
	if !ok {
		return false
	}
	if n >= len(l.sent) || l.sent[n].Load() == 0 || !l.script.wants(seat, n) {
		l.strays++
		return true
	}
	place := seat*len(l.sent) + n
	word, bit := place/64, uint64(1)<<(place%64)
	repeated := l.seen[word]&bit != 0
	l.seen[word] |= bit
	switch {
	case n < l.script.warm && !repeated:
		l.warmed++
	case n < l.script.warm: // what finds out whether there is a way is sent again and again
	case repeated:
		l.duplicates++
	default:
		l.count(seat, n, at)
	}
	return true
}

// count notes a delivery that counts.
func (l *ledger) count(seat, n int, at time.Time) {
	l.deliveries++
	l.lastCame = at
	l.latency.Add(at.Sub(l.began) - time.Duration(l.sent[n].Load()))
	last := &l.last[seat*l.script.writers+l.script.writer(n)]
	if int32(n) < *last {
		l.disordered++
	}
	*last = max(*last, int32(n)+1)
}

// expected returns how many deliveries the changes make with the numbers from
// the first to, but not including, the other, when all are sent.
func (l *ledger) expected(from, to int) (deliveries int) {
	for n := from; n < to; n++ {
		deliveries += l.audience(n)
	}
	return deliveries
}

// unsent returns how many of these there are less, as some were not sent.
func (l *ledger) unsent(from, to int) (deliveries int) {
	for n := from; n < to; n++ {
		if l.sent[n].Load() == 0 {
			deliveries += l.audience(n)
		}
	}
	return deliveries
}

// audience returns how many seats want a change.
func (l *ledger) audience(n int) (seats int) {
	for seat := range l.seats {
		if l.script.wants(seat, n) {
			seats++
		}
	}
	return seats
}

// lost names the first deliveries that have not come, most of them at most, to
// help find out why.
func (l *ledger) lost(most int) (which []string) {
	for n := l.script.warm; n < len(l.sent); n++ {
		for seat := 0; l.sent[n].Load() != 0 && seat < l.seats; seat++ {
			place := seat*len(l.sent) + n
			if l.seen[place/64]&(1<<(place%64)) != 0 || !l.script.wants(seat, n) {
				continue
			}
			if which = append(which, fmt.Sprintf("change %d to client %d", n, seat)); len(which) == most {
				return which
			}
		}
	}
	return which
}

// numberKey stands before the number of a change, in a record as in a message.
// In a list of columns "n" is a value.
var numberKey = []byte(`"n":`)

// number returns the number of the change that a frame brings.
func number(frame []byte) (n int, ok bool) {
	_, rest, found := bytes.Cut(frame, numberKey)
	if !found {
		return 0, false
	}
	for _, c := range bytes.TrimLeft(rest, " ") {
		if c < '0' || c > '9' || n > 1<<40 {
			break
		}
		n, ok = n*10+int(c-'0'), true
	}
	return n, ok
}

package music

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
)

// stats is what all rooms of a server have done.
type stats struct {
	rooms, members         atomic.Int64
	notes, beats, refusals atomic.Int64
	unsaved, lost          atomic.Int64 // records for tables
	lateness               lateness
	takeovers, jumps       atomic.Int64
	phase                  atomic.Int64 // of the last take-over, ns; -1 for not known
}

// A roomLoad is the members that a room counts.
type roomLoad struct {
	stats *stats

	mu      sync.Mutex // guards all below
	members int64
	over    bool
}

// enter counts a room until its context ends: an actor that panics is not closed.
func (s *stats) enter(ctx context.Context) *roomLoad {
	l := &roomLoad{stats: s}
	s.rooms.Add(1)
	context.AfterFunc(ctx, l.end)
	return l
}

func (l *roomLoad) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.stats.rooms.Add(-1)
	l.stats.members.Add(-l.members)
}

// add counts members who come or, with a minus, go.
func (l *roomLoad) add(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.members += n
		l.stats.members.Add(n)
	}
}

// tookOver counts a room that another node had before.
func (s *stats) tookOver(t TakeOver) {
	s.takeovers.Add(1)
	if t.Discontinuity {
		s.jumps.Add(1)
	}
	s.phase.Store(-1)
	if t.PhaseError != nil {
		s.phase.Store(int64(*t.PhaseError))
	}
}

// metrics returns what is shown of all.
func (s *stats) metrics() []tutti.Metric {
	gauge := func(name, help string, v float64) tutti.Metric {
		return tutti.Metric{Name: name, Help: help, Value: v}
	}
	counter := func(name, help string, v *atomic.Int64) tutti.Metric {
		return tutti.Metric{Name: name, Help: help, Value: float64(v.Load()), Counter: true}
	}
	phase := time.Duration(max(0, s.phase.Load())).Seconds()
	return []tutti.Metric{
		gauge("rooms", "Rooms that this node runs.", float64(s.rooms.Load())),
		gauge("members", "Sockets in these rooms, on all nodes.", float64(s.members.Load())),
		counter("notes_total", "Notes on and off that were heard.", &s.notes),
		counter("beats_total", "Beats that were announced.", &s.beats),
		counter("refusals_total", "Events of members that had no effect.", &s.refusals),
		gauge("beat_lateness_p50_seconds", "Since the start, by how much beats left after they were to leave.", s.lateness.quantile(0.5)),
		gauge("beat_lateness_p99_seconds", "The same for the 99th percentile.", s.lateness.quantile(0.99)),
		gauge("beat_lateness_max_seconds", "The same for the latest of all.", float64(s.lateness.most.Load())/1e9),
		{Name: "beat_lateness_seconds", Help: "By how much beats left after they were to leave.", Histogram: s.lateness.histogram()},
		counter("beats_late_total", "Beats that left more than 2 ms after they were to leave.", &s.lateness.late),
		counter("takeovers_total", "Rooms that went on here after another node had them.", &s.takeovers),
		counter("discontinuities_total", "Those of them whose beats may have moved by more than 1 ms.", &s.jumps),
		gauge("phase_error_seconds", "By how much beats may have moved in the last of them.", phase),
		gauge("records_waiting", "Records for tables that are not written yet.", float64(s.unsaved.Load())),
		counter("records_lost_total", "Records for tables that were given up.", &s.lost),
	}
}

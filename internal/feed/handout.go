package feed

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/tally"
	"github.com/tutti-realtime/tutti/internal/wal"
)

const (
	// maxAloft is how many deliveries may be on their way to loops before the
	// reader waits for them. Loops that are busy slow the feed down so, and nothing
	// is dropped.
	maxAloft = 1 << 17
	// maxAloftBytes is how many bytes they may hold.
	maxAloftBytes = 16 << 20
	// maxParcel is how many deliveries a loop is given at once, so that it looks
	// after its sockets between two.
	maxParcel = 4096
)

// A flight is a batch that is on its way to the loops.
type flight struct {
	left atomic.Int32 // parcels that are not handed out yet, and one until it departs
	end  uint64       // to be confirmed when none is left; 0 for nothing
}

// A parcel is what a loop is given at once.
type parcel struct {
	flight     *flight
	reader     *reader
	deliveries []delivery
	bytes      int
	next       int
}

// A delivery is a change for one channel.
type delivery struct {
	hearer changes.Hearer
	row    *changes.Row
	ids    []uint32
}

// hand gives the channels what is theirs. When one panics it is called again,
// and goes on behind it.
func (p *parcel) hand() {
	for p.next < len(p.deliveries) {
		d := p.deliveries[p.next]
		p.next++
		d.hearer.HearRow(d.row, d.ids)
	}
	p.land()
}

func (p *parcel) land() {
	p.flight.left.Add(-1)
	p.reader.aloft.Add(-int64(len(p.deliveries)))
	p.reader.aloftBytes.Add(-int64(p.bytes))
	ring(p.reader.landed)
}

// touchdown waits until loops have handed out most of what they were given.
func (r *reader) touchdown(ctx context.Context) error {
	for r.aloft.Load() > maxAloft || r.aloftBytes.Load() > maxAloftBytes {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.landed:
		}
	}
	return nil
}

// A seen is the view that a target's changes were written for last.
type seen struct {
	relation *relation
	table    *tutti.Table
	view     *changes.View
}

// view returns how a target sees changes of a table.
func (t *target) view(rel *relation, table *tutti.Table, views map[viewKey]*changes.View) *changes.View {
	if t.seen.relation == rel && t.seen.table == table {
		return t.seen.view
	}
	key := viewKey{rel, table, t.selection}
	view := views[key]
	if view == nil {
		view = changes.NewView(rel.as(table), t.selected, table, appendValue)
		views[key] = view
	}
	t.seen = seen{rel, table, view}
	return view
}

type viewKey struct {
	relation  *relation
	table     *tutti.Table
	selection string
}

// appendValue is wal.AppendJSON, in the form that views want.
func appendValue(dst []byte, c tutti.Column, v tutti.Value) []byte { return wal.AppendJSON(dst, &c, v) }

// A handout hands out one batch.
type handout struct {
	*reader
	flight  *flight
	parcels []*parcel // by loop, being filled; nil where there is none
	written []written // of the change at hand
	left    int       // hits of the batch that are not placed yet
}

// written is a change as written for one view.
type written struct {
	view *changes.View
	data []byte
	rows []*changes.Row // by loop; nil where there is none yet
}

// placed is where a delivery of the change at hand is, to add another id to it.
type placed struct {
	view   *changes.View
	parcel *parcel
	at     int
}

// handOut gives the loops what their channels get of a batch.
func (r *reader) handOut(b *batch) {
	h := &handout{reader: r, flight: r.boarding(), parcels: make([]*parcel, len(r.feeds.Loops))}
	limited := r.meters.DBEvents.Over(r.limit)
	views := r.catalog.views
	delivered, skipped, handed := 0, 0, 0
	for i := 0; i < len(b.hits); {
		h.left = len(b.hits) - i
		at := b.hits[i].change
		h.written = h.written[:0]
		r.change++
		before := delivered
		for ; i < len(b.hits) && b.hits[i].change == at; i++ {
			hit := &b.hits[i]
			s := hit.target.subscription
			switch {
			case !hit.visible():
			case limited:
				s.dropped++
				skipped++
			default:
				view := hit.target.view(hit.relation, b.changes[at].Table, views)
				h.place(hit, view, b.changes[at], b.committed[at])
				delivered++
			}
		}
		if delivered > before {
			handed++
			r.measureRow(h.written, b.committed[at])
		}
	}
	r.count(tally.RowsHandedOut, handed)
	r.count(tally.RowsSkipped, skipped)
	r.meters.DBEvents.Add(0, int64(delivered))
	for loop := range h.parcels {
		h.send(loop)
	}
	if limited {
		r.tellDropped()
	}
}

func (h *hit) visible() bool {
	if h.look == nil {
		return true
	}
	return h.look.Err == nil && h.row < len(h.look.Seen) && h.look.Seen[h.row]
}

// place adds a delivery, or another id to one that is there: a channel gets a
// change once for each select.
func (h *handout) place(hit *hit, view *changes.View, c *tutti.Change, committed time.Time) {
	t := hit.target
	s := t.subscription
	single := len(s.wishes) == 1
	if !single {
		if s.change != h.change {
			s.change, s.placed = h.change, s.placed[:0]
		}
		for _, p := range s.placed {
			if p.view == view {
				d := &p.parcel.deliveries[p.at]
				d.ids = append(slices.Clip(d.ids), t.ids[0])
				return
			}
		}
	}
	p := h.parcels[s.Loop]
	if p == nil || len(p.deliveries) >= maxParcel {
		h.send(s.Loop)
		p = &parcel{flight: h.flight, reader: h.reader, deliveries: make([]delivery, 0, min(maxParcel, h.left))}
		h.parcels[s.Loop] = p
	}
	row := h.row(s.Loop, hit.relation, view, c, committed)
	if !single {
		s.placed = append(s.placed, placed{view, p, len(p.deliveries)})
	}
	p.deliveries = append(p.deliveries, delivery{s.Hearer, row, t.ids[:]})
}

// row returns the change as written for a view, for one loop.
func (h *handout) row(loop int, rel *relation, view *changes.View, c *tutti.Change, committed time.Time) *changes.Row {
	var w *written
	for i := range h.written {
		if h.written[i].view == view {
			w = &h.written[i]
		}
	}
	if w == nil {
		large := changes.Size(c) > h.settings.MaxChange
		h.written = append(h.written, written{
			view: view, data: view.Append(nil, rel.masked(c), committed, large), rows: make([]*changes.Row, len(h.parcels)),
		})
		w = &h.written[len(h.written)-1]
	}
	if w.rows[loop] == nil {
		w.rows[loop] = &changes.Row{Kind: c.Kind, Data: w.data}
		h.parcels[loop].bytes += len(w.data)
	}
	return w.rows[loop]
}

// send gives a loop what has been filled for it. A loop that has stopped has no
// channels any more.
func (h *handout) send(loop int) {
	p := h.parcels[loop]
	h.parcels[loop] = nil
	if p == nil {
		return
	}
	h.flight.left.Add(1)
	h.aloft.Add(int64(len(p.deliveries)))
	h.aloftBytes.Add(int64(p.bytes))
	if !h.feeds.Loops[loop].Post(len(p.deliveries), p.bytes, p.hand) {
		p.land()
	}
}

// boarding returns the flight that has not departed yet.
func (r *reader) boarding() *flight {
	if n := len(r.flights); n > 0 && r.flights[n-1].end == 0 {
		return r.flights[n-1]
	}
	f := &flight{}
	f.left.Store(1)
	r.flights = append(r.flights, f)
	return f
}

// depart says that all of a batch is on its way; end is the position behind its
// last transaction, 0 when that is not over.
func (r *reader) depart(end uint64) {
	f := r.boarding()
	if end == 0 {
		return // what comes next flies with it
	}
	f.end = end
	if f.left.Add(-1) == 0 {
		ring(r.landed)
	}
}

// confirm tells the database what need not be sent again.
func (r *reader) confirm() {
	for len(r.flights) > 0 && r.flights[0].end != 0 && r.flights[0].left.Load() == 0 {
		r.source.Confirm(r.flights[0].end)
		r.flights = r.flights[1:]
	}
}

// masked returns a change without what must not be seen of the row before. An
// update shows it as the replica identity has it, unless it changed a column
// that the table's policies read: then that version may have been one which the
// viewer could not see, and only its primary key is shown. Decisions, "old
// records".
func (rel *relation) masked(c *tutti.Change) *tutti.Change {
	if c.Kind != tutti.Update || c.Old == nil || rel.exempt || !rel.touches(c) {
		return c
	}
	m := *c
	m.Old = make([]tutti.Value, len(c.Old))
	m.New = append([]tutti.Value(nil), c.New...)
	for i := range m.New {
		if m.New[i].Kind == tutti.Unchanged {
			m.New[i] = c.Old[i] // as it is now, too
		}
		if rel.primary(c.Table.Columns[i].Name) {
			m.Old[i] = c.Old[i]
		}
	}
	return &m
}

// touches reports whether an update changed a column that policies read.
func (rel *relation) touches(c *tutti.Change) bool {
	for i := range c.Table.Columns {
		before, after := c.Old[i], c.New[i]
		if after.Kind == tutti.Unchanged || before.Kind == tutti.Absent ||
			before.Kind == after.Kind && string(before.Text) == string(after.Text) {
			continue
		}
		if rel.whole {
			return true
		}
		if slices.Contains(rel.policy, c.Table.Columns[i].Name) {
			return true
		}
	}
	return false
}

func (rel *relation) primary(name string) bool {
	for _, c := range rel.Columns {
		if c.Name == name {
			return c.Primary
		}
	}
	return false
}

// droppedWindow is how often a subscription is told that a limit took changes
// away: the time over which the limit counts.
const droppedWindow = time.Minute

// tellDropped tells subscriptions how many changes a limit took away, at first
// at once, and then once in a window.
func (r *reader) tellDropped() {
	now := time.Now()
	for _, s := range r.subscriptions {
		if s.dropped == 0 || now.Sub(s.warned) < droppedWindow {
			continue
		}
		r.log.Warn("changes were dropped", "code", "TooManyDatabaseChanges", "topic", s.Topic, "changes", s.dropped)
		r.feeds.say(s.Subscriber, statusError, fmt.Sprintf(
			"Too many database changes per second: %d were not delivered. The tenant's max_events_per_second is %d", s.dropped, r.limit))
		s.dropped, s.warned = 0, now
	}
}

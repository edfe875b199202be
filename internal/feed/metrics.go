package feed

import (
	"context"
	"time"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// count counts something of the tenant. A reader is not a loop: it counts where
// the first of them does.
func (r *reader) count(c tally.Count, n int) {
	if n > 0 {
		r.meters.Tally.Add(0, c, int64(n))
	}
}

func (r *reader) measure(m tally.Measure, v int64) { r.meters.Tally.Observe(0, m, v) }

// since measures the time that has passed since a moment of the database's clock,
// which may be ahead of ours.
func (r *reader) since(m tally.Measure, moment time.Time) {
	r.measure(m, max(0, int64(time.Since(moment))))
}

// standing is where it is shown how the feed stands.
func (r *reader) standing() *tally.Feed { return &r.meters.Tally.Feed }

// stand shows how the feed stands.
func (r *reader) stand() {
	f := r.standing()
	f.Open.Store(true)
	f.Live.Store(r.live.Load())
	f.Subscriptions.Store(int64(len(r.subscriptions)))
	f.Identities.Store(int64(len(r.viewers)))
	oldest := int64(0)
	if len(r.waiting) > 0 && r.waiting[0].state == nil {
		oldest = r.waiting[0].tx.Committed.UnixNano()
	}
	f.Oldest.Store(oldest)
}

// standDown shows that there is no feed.
func (r *reader) standDown() {
	f := r.standing()
	f.Open.Store(false)
	f.Live.Store(false)
	f.Subscriptions.Store(0)
	f.Identities.Store(0)
	f.LagBytes.Store(0)
	f.Oldest.Store(0)
}

// lag is what the database keeps of its log for the node that reads it; 0 on one
// that another reads it for.
func (r *reader) lag() int64 {
	f := r.reading.Load()
	if f == nil || r.shared != nil && !r.shared.Owned() {
		return 0
	}
	return int64(f.Lag())
}

// watchSee asks the database who may see what of a batch, and measures it.
func (r *reader) watchSee(ctx context.Context, b *batch) error {
	if len(b.looks) == 0 {
		return nil
	}
	r.measure(tally.Identities, int64(len(b.asked)))
	began := time.Now()
	err := r.see(ctx, b.looks)
	r.measure(tally.VisibleCheck, int64(time.Since(began)))
	return err
}

// measureRow measures a change that somebody gets, as it was written for each
// view.
func (r *reader) measureRow(all []written, committed time.Time) {
	for i := range all {
		r.measure(tally.RowBytes, int64(len(all[i].data)))
	}
	r.since(tally.CommitToHandOut, committed)
}

// measureMessage measures a message that was sent on.
func (r *reader) measureMessage(m *storedMessage, committed time.Time) {
	r.since(tally.FromCommit, committed)
	if at, err := time.Parse("2006-01-02 15:04:05.999999", string(m.inserted)); err == nil {
		r.since(tally.FromInsert, at)
	}
}

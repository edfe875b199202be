package feed

import (
	"context"
	"time"
)

// sees reports whether others could see all transactions when it was looked
// last.
func (r *reader) sees(items []item) bool {
	for i := range items {
		if !r.visible.Has(items[i].tx.ID) {
			return false
		}
	}
	return true
}

// catchUp waits until others see what the transactions at hand did. The stream
// brings them when they are in the log, which is before they can be seen: by
// little mostly, but by as long as it takes a standby to answer where commits
// wait for one. Who asked about rows or policies meanwhile would learn what was
// before.
func (r *reader) catchUp(ctx context.Context) error {
	const first, longest = time.Millisecond, 100 * time.Millisecond
	for wait := first; ; wait = min(2*wait, longest) {
		if r.sees(r.waiting[:r.judging]) {
			return nil
		}
		err := r.insist(ctx, "snapshot", func(ctx context.Context) (err error) {
			r.visible, err = r.db.Snapshot(ctx)
			return err
		})
		if err != nil || r.sees(r.waiting[:r.judging]) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.inbox.hurry:
			return errInterrupted
		case <-time.After(wait):
		}
	}
}

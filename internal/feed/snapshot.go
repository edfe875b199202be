package feed

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/postgres"
)

// currentSnapshot is which transactions can be seen: xmin:xmax:xip,xip...
const currentSnapshot = "pg_catalog.pg_current_snapshot()"

// A snapshot is which transactions can be seen: those before next, but for the
// ones that are open.
type snapshot struct {
	next uint32
	open []uint32
}

// readSnapshot reads a pg_snapshot. Numbers of transactions are those of the
// stream, without the epoch.
func readSnapshot(text string) (s snapshot, ok bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, false
	}
	next, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return s, false
	}
	s.next = uint32(next)
	for one := range strings.SplitSeq(parts[2], ",") {
		if n, err := strconv.ParseUint(one, 10, 64); err == nil {
			s.open = append(s.open, uint32(n))
		}
	}
	return s, true
}

func (s *snapshot) has(transaction uint32) bool {
	if int32(transaction-s.next) >= 0 { // they go around
		return false
	}
	for _, open := range s.open {
		if open == transaction {
			return false
		}
	}
	return true
}

func (s *snapshot) hasAll(items []item) bool {
	for i := range items {
		if !s.has(items[i].tx.ID) {
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
	self := []*postgres.Viewer{{Role: r.settings.User}}
	for wait := first; ; wait = min(2*wait, longest) {
		if r.visible.hasAll(r.waiting[:r.judging]) {
			return nil
		}
		err := r.insist(ctx, "snapshot", func(ctx context.Context) error {
			values, faults, err := r.db.Identity(ctx, self, []string{currentSnapshot})
			if err == nil {
				err = faults[0]
			}
			if err == nil {
				r.visible, _ = readSnapshot(*values[0][0])
			}
			return err
		})
		if err != nil || r.visible.hasAll(r.waiting[:r.judging]) {
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

package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Snapshot is which transactions could be seen at a moment: those before Next,
// but for the ones that were Open. Numbers are those of a stream, without the
// epoch.
type Snapshot struct {
	Next uint32
	Open []uint32
}

// Has reports whether what a transaction did could be seen, if it committed.
func (s *Snapshot) Has(transaction uint32) bool {
	if int32(transaction-s.Next) >= 0 { // they go around
		return false
	}
	return !slices.Contains(s.Open, transaction)
}

// selectSnapshot gives xmin:xmax:xip,xip...
const selectSnapshot = "SELECT pg_current_snapshot()::text"

// Snapshot returns which transactions can be seen now.
func (d *Database) Snapshot(ctx context.Context) (Snapshot, error) {
	ctx, cancel := within(ctx, d.rowLimit)
	defer cancel()
	var text string
	if err := d.rows.QueryRow(ctx, selectSnapshot).Scan(&text); err != nil {
		return Snapshot{}, fmt.Errorf("read the snapshot: %w", failed(err))
	}
	return readSnapshot(text)
}

func readSnapshot(text string) (s Snapshot, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, fmt.Errorf("%q is no snapshot", text)
	}
	next, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return s, fmt.Errorf("%q is no snapshot: %w", text, err)
	}
	s.Next = uint32(next)
	if parts[2] == "" {
		return s, nil
	}
	for one := range strings.SplitSeq(parts[2], ",") {
		n, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			return s, fmt.Errorf("%q is no snapshot: %w", text, err)
		}
		s.Open = append(s.Open, uint32(n))
	}
	return s, nil
}

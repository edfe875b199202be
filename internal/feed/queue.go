package feed

import (
	"context"
	"sync"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// queueBytes and queueChanges are how much may wait for a reader before the
// stream is read no further.
const (
	queueBytes   = 4 << 20
	queueChanges = 4096
)

// An item is what comes out of a stream: a transaction, or a part of one, or a
// state of the stream.
type item struct {
	tx    tutti.Transaction
	state wal.State // nil for a transaction
	bytes int
}

// A queue is what has come out of a stream and waits for its reader.
type queue struct {
	bell chan struct{} // rings when something came
	room chan struct{} // rings when something was taken

	mu      sync.Mutex // guards all below; nothing is called under it
	items   []item
	bytes   int
	changes int
}

func newQueue() *queue {
	return &queue{bell: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// deliver puts a transaction in, and waits until there is room. It is the
// Deliver of a wal.Feed.
func (q *queue) deliver(ctx context.Context, tx tutti.Transaction) error {
	it := item{tx: tx, bytes: weigh(tx.Changes)}
	for !q.put(it, false) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-q.room:
		}
	}
	return nil
}

// tell puts a state in. It is the State of a wal.Feed.
func (q *queue) tell(s wal.State) { q.put(item{state: s}, true) }

func (q *queue) put(it item, always bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !always && len(q.items) > 0 && (q.bytes+it.bytes > queueBytes || q.changes+len(it.tx.Changes) > queueChanges) {
		return false
	}
	q.items = append(q.items, it)
	q.bytes += it.bytes
	q.changes += len(it.tx.Changes)
	ring(q.bell)
	return true
}

// take returns all that waits.
func (q *queue) take() []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.bytes, q.changes = nil, 0, 0
	ring(q.room)
	return items
}

// weigh returns about how many bytes changes hold in memory.
func weigh(all []tutti.Change) int {
	const perChange, perValue = 96, 32
	n := 0
	for i := range all {
		n += perChange
		for _, row := range [...][]tutti.Value{all[i].New, all[i].Old} {
			for _, v := range row {
				n += perValue + len(v.Text)
			}
		}
	}
	return n
}

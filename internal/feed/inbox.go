package feed

import (
	"slices"
	"sync"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
)

// An orderKind is what a reader is to do.
type orderKind uint8

const (
	enter orderKind = iota
	leave
	subscribe
	renew
	unsubscribe
	await
	change // of the tenant
	restart
	remove // the tenant is gone
)

// An order is something for a reader to do.
type order struct {
	kind       orderKind
	subscriber *changes.Subscriber // of subscribe, renew and unsubscribe
	claims     tutti.Claims        // of renew
	waiter     waiter              // of await
	tenant     *tutti.Tenant       // of enter, subscribe and change; nil of others
	settings   tutti.Database      // likewise
}

// A waiter is told, on a loop, that messages are heard.
type waiter struct {
	loop int
	tell func()
}

// An inbox is what others want of a reader.
type inbox struct {
	bell  chan struct{} // rings when there are orders
	hurry chan struct{} // rings when one is for a reader that waits for its database, too

	mu     sync.Mutex // guards orders; nothing is called under it
	orders []order
}

func (b *inbox) put(o order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orders = append(b.orders, o)
	ring(b.bell)
	if o.kind == change || o.kind == restart || o.kind == remove {
		ring(b.hurry)
	}
}

func (b *inbox) take() []order {
	b.mu.Lock()
	defer b.mu.Unlock()
	orders := b.orders
	b.orders = nil
	return orders
}

// putBack puts orders back that were taken last.
func (b *inbox) putBack(orders []order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orders = append(orders, b.orders...)
	ring(b.bell)
}

// idle reports whether there is nothing that somebody who has nothing would have
// to do.
func (b *inbox) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !slices.ContainsFunc(b.orders, func(o order) bool { return o.tenant != nil })
}

// condemned takes the order to end, where that is all that a reader has to do.
func (b *inbox) condemned() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.orders) != 1 || b.orders[0].kind != remove {
		return false
	}
	b.orders = nil
	return true
}

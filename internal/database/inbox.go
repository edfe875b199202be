package database

import "sync"

// An orderKind is what a lane is to do.
type orderKind uint8

const (
	question orderKind = iota
	answered           // a task
	prepared           // the database is, or is not
	drain              // answer what was asked, and end
	leave              // end
)

// An order is something for a lane to do, or to take note of.
type order struct {
	kind     orderKind
	waiter   *waiter     // of question
	task     *task       // of answered
	result   result      // of answered
	outcome  preparation // of prepared
	farewell error       // of leave: what those learn who have no answer
}

// An inbox is what others want of a lane.
type inbox struct {
	bell chan struct{} // rings when there are orders

	mu     sync.Mutex // guards orders; nothing is called under it
	orders []order
}

func (b *inbox) put(o order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orders = append(b.orders, o)
	ring(b.bell)
}

func (b *inbox) take() []order {
	b.mu.Lock()
	defer b.mu.Unlock()
	orders := b.orders
	b.orders = nil
	return orders
}

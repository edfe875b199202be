package postgres

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// dialWithin bounds one packet's way there and back. pgx also dials, with no
// context but its own, to cancel a query when a pool is closed.
const dialWithin = 2 * time.Second

// closeWithin is how long a pool may take to say goodbye to a database. pgx would
// wait for 15 s for one that does not answer, and a stop with it.
const closeWithin = time.Second

// wires are the connections of pools.
type wires struct {
	mu   sync.Mutex // guards open
	open map[*wire]struct{}
}

type wire struct {
	net.Conn
	of *wires
}

func (w *wires) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialWithin}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	one := &wire{conn, w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[*wire]struct{}{}
	}
	w.open[one] = struct{}{}
	return one, nil
}

// Close implements net.Conn.
func (c *wire) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// close closes pools. Their connections that have not ended after a while are cut.
func (w *wires) close(pools ...*pgxpool.Pool) {
	cut := time.AfterFunc(closeWithin, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for c := range w.open {
			_ = c.Conn.Close() // whoever reads it is told
		}
	})
	defer cut.Stop()
	for _, p := range pools {
		p.Close()
	}
}

package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"
)

// streams is a poller for connections that are not plain descriptors: each has
// a goroutine that dials and reads, and one that writes while there is something
// to write. They end when it is closed.
type streams struct {
	runner *runner
	came   chan arrival
	done   chan struct{}
	wg     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	open  map[*stream]struct{}
	ended bool
}

// An arrival is what a goroutine has to tell the loop.
type arrival struct {
	conn *conn
	wire *stream // for a connection that was made
	data []byte
	err  error
}

func newStreams(r *runner) *streams {
	return &streams{runner: r, came: make(chan arrival, 1024), done: make(chan struct{}), open: map[*stream]struct{}{}}
}

func (s *streams) close() {
	close(s.done)
	s.mu.Lock()
	s.ended = true
	for w := range s.open {
		w.close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *streams) dial(ctx context.Context, c *conn) {
	to := s.runner.to
	s.wg.Go(func() {
		nc, err := to.dial(ctx)
		if err != nil {
			s.tell(arrival{conn: c, err: err})
			return
		}
		w := &stream{streams: s, conn: nc}
		defer w.close()
		if s.keep(w) && s.tell(arrival{conn: c, wire: w}) {
			s.read(c, w)
		}
		s.forget(w)
	})
}

// keep remembers a wire that close must close. It is false after that.
func (s *streams) keep(w *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[w] = struct{}{}
	return !s.ended
}

func (s *streams) forget(w *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, w)
}

// dial connects to the server, with TLS if it is secure.
func (t *target) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, "tcp", t.addr.String())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if !t.secure {
		return nc, nil
	}
	secured := tls.Client(nc, &tls.Config{ServerName: t.name, NextProtos: []string{"http/1.1"}})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secured, nil
}

func (s *streams) read(c *conn, w *stream) {
	buf := make([]byte, 4096)
	for {
		n, err := w.conn.Read(buf)
		if n > 0 && !s.tell(arrival{conn: c, data: append([]byte(nil), buf[:n]...)}) {
			return
		}
		if err != nil {
			s.tell(arrival{conn: c, err: err})
			return
		}
	}
}

// tell hands an arrival to the loop. It is false when the loop has ended.
func (s *streams) tell(a arrival) bool {
	select {
	case s.came <- a:
		return true
	case <-s.done:
		return false
	}
}

func (s *streams) wait(d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case a := <-s.came:
		s.handle(a)
	case <-timer.C:
		return
	}
	for range cap(s.came) {
		select {
		case a := <-s.came:
			s.handle(a)
		default:
			return
		}
	}
}

func (s *streams) handle(a arrival) {
	switch c := a.conn; {
	case c.state == ended:
		if a.wire != nil {
			a.wire.close()
		}
	case a.wire != nil:
		c.wire = a.wire
		s.runner.established(c)
	case a.err != nil:
		s.runner.gone(c, a.err)
	default:
		s.runner.received(c, a.data)
	}
}

// A stream is a wire over a net.Conn.
type stream struct {
	streams *streams
	conn    net.Conn

	mu      sync.Mutex // guards what follows; only copying is done under it
	pending []byte
	writing bool // a goroutine writes; it takes what is pending when it is done
	flight  int  // bytes that it is writing
}

func (w *stream) write(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, b...)
	if !w.writing {
		w.writing = true
		w.streams.wg.Go(w.drain)
	}
}

// drain writes until nothing is pending. An error will show on reading.
func (w *stream) drain() {
	for {
		w.mu.Lock()
		batch := w.pending
		w.pending, w.flight = nil, len(batch)
		if len(batch) == 0 {
			w.writing = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		_, _ = w.conn.Write(batch)
	}
}

func (w *stream) held() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending) + w.flight
}

func (w *stream) close() { _ = w.conn.Close() }

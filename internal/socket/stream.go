package socket

import (
	"bytes"
	"net"
	"sync"
	"time"
)

// A bell is a poller where there is nothing to poll: connections are streams,
// which call by themselves.
type bell struct {
	rung chan struct{}
}

func newBell() *bell { return &bell{rung: make(chan struct{}, 1)} }

func (b *bell) wait(d time.Duration) {
	if d == 0 {
		select {
		case <-b.rung:
		default:
		}
		return
	}
	var after <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-b.rung:
	case <-after:
	}
}

func (b *bell) wake() {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

func (b *bell) close() {}

// streamBuffer is the bytes that a stream reads at once.
const streamBuffer = 4 << 10

// A stream is a connection of any kind: one goroutine reads it as long as it
// lives, and another writes while there is something to write.
type stream struct {
	loop *loop
	conn *conn
	net  net.Conn
	more chan struct{} // the loop has done with what was read
	over chan struct{} // closed when the connection is
	once sync.Once

	// What follows belongs to the loop.
	input   []byte
	at      time.Time // when it was read
	failure error
	held    bool // the reader waits for more
	paused  bool
	writing bool
}

func newStream(l *loop, c *conn, nc net.Conn) *stream {
	return &stream{loop: l, conn: c, net: nc, more: make(chan struct{}, 1), over: make(chan struct{})}
}

// receive reads until the connection ends.
func (s *stream) receive() {
	buf := make([]byte, streamBuffer)
	for {
		n, err := s.net.Read(buf)
		at := time.Now()
		s.loop.post(func() { s.arrived(buf[:n], at, err) })
		if err != nil {
			return
		}
		select {
		case <-s.more:
		case <-s.over:
			return
		}
	}
}

// arrived hands what was read to the connection, on the loop. While there is
// too much to hand out it waits.
func (s *stream) arrived(data []byte, at time.Time, err error) {
	const moment = time.Millisecond
	if s.conn.state == stateGone {
		return
	}
	if s.loop.server.Full() {
		s.loop.timers.add(time.Now().Add(moment), func() { s.arrived(data, at, err) })
		return
	}
	s.input, s.at, s.failure, s.held = data, at, err, true
	if !s.paused {
		s.proceed()
	}
}

// proceed lets the connection have what was read, and the reader go on.
func (s *stream) proceed() {
	s.held = false
	s.conn.read()
	if s.failure != nil && s.conn.state != stateGone {
		s.conn.read()
	}
	s.input = nil
	s.more <- struct{}{}
}

func (s *stream) read([]byte) ([]byte, error) {
	data := s.input
	s.input = nil
	switch {
	case len(data) > 0:
		return data, nil
	case s.failure != nil:
		return nil, s.failure
	}
	return nil, errBlocked
}

// write takes all of b, or nothing while an earlier write is under way.
func (s *stream) write(b []byte) (int, error) {
	if s.writing {
		return 0, errBlocked
	}
	s.writing = true
	own := bytes.Clone(b)
	s.loop.streams.Go(func() {
		_, err := s.net.Write(own)
		s.loop.post(func() { s.wrote(err) })
	})
	return len(b), nil
}

// wrote goes on writing, on the loop.
func (s *stream) wrote(err error) {
	s.writing = false
	switch {
	case s.conn.state == stateGone:
	case err != nil:
		s.conn.gone()
	case s.conn.blocked:
		s.conn.blocked = false
		s.conn.flush()
	case s.conn.state == stateShut:
		s.shut()
	}
}

func (s *stream) pause(yes bool) {
	s.paused = yes
	if !yes && s.held {
		s.proceed()
	}
}

// shut ends the sending side, if this kind of connection can, once the last
// write is done. Under TLS that is a write, too, and may have to wait.
func (s *stream) shut() {
	if half, can := s.net.(interface{ CloseWrite() error }); can && !s.writing {
		s.loop.streams.Go(func() { _ = half.CloseWrite() })
	}
}

// close ends the connection at once. Under TLS it ends the one below: TLS would
// have a last word and wait up to five seconds for the client to take it.
func (s *stream) close() {
	s.once.Do(func() {
		close(s.over)
		if secure, is := s.net.(interface{ NetConn() net.Conn }); is {
			_ = secure.NetConn().Close()
			return
		}
		_ = s.net.Close()
	})
}

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/websocket"
	"github.com/tutti-realtime/tutti/internal/yard"
)

// rooms is how many topics the clients that come and go share.
const rooms = 5

// A parting is a way in which clients end.
type parting struct {
	name string
	do   func(ctx context.Context, c *session, random *rand.Rand) error
}

// partings are all of them, the rude ones too.
var partings = []parting{
	{"close frame", func(_ context.Context, c *session, _ *rand.Rand) error {
		_ = c.frame(websocket.Close, websocket.AppendClose(nil, websocket.CodeNormal, ""))
		return c.untilClosed()
	}},
	{"leave, close frame", func(_ context.Context, c *session, _ *rand.Rand) error {
		_, _ = c.push("phx_leave", struct{}{})
		_ = c.frame(websocket.Close, nil)
		return c.untilClosed()
	}},
	{"without a word", func(context.Context, *session, *rand.Rand) error { return nil }},
	{"reset", func(_ context.Context, c *session, _ *rand.Rand) error { return c.conn.(*net.TCPConn).SetLinger(0) }},
	{"half a message", func(_ context.Context, c *session, random *rand.Rand) error {
		frame := websocket.AppendMasked(nil, websocket.Text, [4]byte{}, make([]byte, 100_000))
		return c.write(frame[:random.IntN(len(frame))])
	}},
	{"a frame that is none", func(_ context.Context, c *session, _ *rand.Rand) error {
		_ = c.write([]byte{0xFF, 0xFF, 0xFF, 0xFF})
		return c.untilClosed()
	}},
	{"a flood of messages that are none", flood(func(random *rand.Rand) []byte {
		return []byte(nonsense[random.IntN(len(nonsense))])
	})},
	{"a flood of joins that fail", flood(func(random *rand.Rand) []byte {
		return fmt.Appendf(nil, `{"topic":"realtime:refused","event":"phx_join","ref":"%d","payload":{"config":{"private":true}}}`, random.IntN(1000))
	})},
}

// nonsense is what no client says.
var nonsense = []string{
	``, `{`, `[]`, `null`, `{"topic":7}`, strings.Repeat("[", 2000), "\xff\xfe", `{"topic":"realtime:x","event":"broadcast","payload":{}}`,
	`{"topic":"realtime:soak-1","event":"presence","payload":"x","ref":"1"}`, `{"topic":"` + strings.Repeat("x", 3000) + `","event":"phx_join","payload":{},"ref":"1"}`,
}

// flood sends many messages without reading answers, and leaves.
func flood(one func(*rand.Rand) []byte) func(context.Context, *session, *rand.Rand) error {
	return func(_ context.Context, c *session, random *rand.Rand) error {
		for range 200 {
			if c.frame(websocket.Text, one(random)) != nil {
				return nil // hung up on: it reads nothing meanwhile
			}
		}
		return nil
	}
}

// frame sends one frame.
func (c *session) frame(op websocket.Opcode, payload []byte) error {
	return c.write(websocket.AppendMasked(nil, op, [4]byte{1, 2, 3, 4}, payload))
}

// untilClosed reads until the server closes.
func (c *session) untilClosed() error {
	if err := c.conn.SetReadDeadline(time.Now().Add(patient)); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		_, err := c.conn.Read(buf)
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			return fmt.Errorf("the server does not close: %w", err)
		}
		if err != nil {
			return nil
		}
	}
}

// churn is one client that comes and goes until ctx ends, as rudely as clients do.
func (s *stage) churn(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		at := s.nodes[random.IntN(len(s.nodes))].at
		began := time.Now()
		if random.IntN(10) == 0 {
			s.hesitate(ctx, at, random)
			continue
		}
		err := s.oneLife(ctx, at, random)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			s.book.seen(lives, 1)
		default:
			if s.calm(ctx, began.Add(-margin), at) {
				s.book.fault(lives, "a client on node %v: %v", at, err)
			}
			_ = pause(ctx, 500*time.Millisecond)
		}
	}
}

// hesitate opens a connection that never becomes a WebSocket.
func (s *stage) hesitate(ctx context.Context, at yard.Place, random *rand.Rand) {
	conn, err := s.network.Dial(ctx, "tcp", s.nodes[at].http)
	if err == nil {
		_, _ = conn.Write([]byte("GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: local"))
	}
	_ = pause(ctx, time.Duration(random.IntN(2000))*time.Millisecond)
	if err == nil {
		_ = conn.Close()
	}
}

// oneLife is one life of a client: connect, join, track, talk, part.
func (s *stage) oneLife(ctx context.Context, at yard.Place, random *rand.Rand) error {
	token, err := mint("anon", "", time.Hour)
	if err != nil {
		return err
	}
	topic := fmt.Sprintf("realtime:soak-%d", random.IntN(rooms))
	c, err := s.connect(ctx, ticket{tenant: ours, at: at, topic: topic, token: token, config: map[string]any{"presence": map[string]any{"enabled": true}}})
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	if _, err := c.push("presence", map[string]any{"event": "track", "payload": map[string]any{"here": true}}); err != nil {
		return err
	}
	for range 1 + random.IntN(3) {
		text := strings.Repeat("x", random.IntN(2000))
		if _, err := c.push("broadcast", map[string]any{"event": "soak", "payload": map[string]any{"text": text}}); err != nil {
			return err
		}
		_ = pause(ctx, time.Duration(random.IntN(600))*time.Millisecond)
	}
	return partings[random.IntN(len(partings))].do(ctx, c, random)
}

// vanish has clients come that say no more and read no more, as those whose
// machine is gone, until ctx ends. The server has to hang up on them.
func (s *stage) vanish(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		at := s.nodes[random.IntN(len(s.nodes))].at
		token, err := mint("anon", "", time.Hour)
		if err != nil {
			return
		}
		c, err := s.connect(ctx, ticket{tenant: ours, at: at, topic: "realtime:soak-0", token: token, config: map[string]any{"presence": map[string]any{"enabled": true}}})
		if err != nil {
			_ = pause(ctx, 500*time.Millisecond)
			continue
		}
		began := time.Now()
		if closed := s.waitClosed(ctx, c); closed {
			s.book.seen(vanished, 1)
			s.book.took(vanished, time.Since(began))
		} else if s.calm(ctx, began, at) {
			s.book.fault(vanished, "node %v has not hung up for %v on a client that says nothing", at, time.Since(began).Round(time.Second))
		}
		_ = c.conn.Close()
	}
}

// waitClosed says nothing, and reports whether the server hung up in time.
func (s *stage) waitClosed(ctx context.Context, c *session) bool {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	_ = c.conn.SetReadDeadline(time.Now().Add(idle + ending + late))
	buf := make([]byte, 4096)
	for {
		_, err := c.conn.Read(buf)
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			return false
		}
		if err != nil {
			return ctx.Err() == nil
		}
	}
}

// laze has a slow client in a loud room, which takes nothing and goes on to say
// that it is there, until ctx ends. It must be hung up on.
func (s *stage) laze(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		at := s.nodes[random.IntN(len(s.nodes))].at
		if err := s.takeNothing(ctx, at); err != nil {
			_ = pause(ctx, 500*time.Millisecond)
		}
	}
}

// loud is the topic of those who send a lot.
const loud = "realtime:loud"

func (s *stage) takeNothing(ctx context.Context, at yard.Place) error {
	token, err := mint("anon", "", time.Hour)
	if err != nil {
		return err
	}
	c, err := s.connect(ctx, ticket{tenant: ours, at: at, topic: loud, token: token, config: map[string]any{"broadcast": map[string]any{"self": true}}})
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	_ = c.conn.(*net.TCPConn).SetReadBuffer(4096)
	began := time.Now()
	text := strings.Repeat("x", 20_000)
	for ctx.Err() == nil {
		_ = c.conn.SetWriteDeadline(time.Now().Add(patient))
		if _, err := c.push("broadcast", map[string]any{"event": "loud", "payload": map[string]any{"text": text}}); err != nil {
			if s.calm(ctx, began, at) {
				s.book.seen(slow, 1)
				s.book.took(slow, time.Since(began))
			}
			return err
		}
		if time.Since(began) > 2*late && s.calm(ctx, began, at) {
			s.book.fault(slow, "node %v has not hung up for %v on a client that takes nothing", at, time.Since(began).Round(time.Second))
			return nil
		}
		_ = pause(ctx, 30*time.Millisecond)
	}
	return nil
}

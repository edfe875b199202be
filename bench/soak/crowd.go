package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// roomSize is how many clients share a topic, about.
const roomSize = 20

// A crowd is the clients of a soak.
type crowd struct {
	node     *server
	clients  int
	partings tally
	failures tally
}

func newCrowd(node *server, clients int) *crowd { return &crowd{node: node, clients: clients} }

func (c *crowd) rooms() int { return max(1, c.clients/roomSize) }

func room(n int) string { return fmt.Sprintf("realtime:soak-%d", n) }

// A tally counts sentences.
type tally struct {
	mu     sync.Mutex // guards counts
	counts map[string]int64
}

func (t *tally) add(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int64{}
	}
	t.counts[what]++
}

func (t *tally) all() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// A parting is a way in which clients end.
type parting struct {
	name string
	do   func(context.Context, *client) error
}

// partings are all of them, the rude ones too. Each comes as often as another.
var partings = []parting{
	{"close frame", func(_ context.Context, c *client) error {
		_ = c.write(websocket.AppendMasked(nil, websocket.Close, [4]byte{}, websocket.AppendClose(nil, websocket.CodeNormal, "")))
		return c.untilClosed()
	}},
	{"leave, close frame", func(_ context.Context, c *client) error {
		_ = c.send(`["1","8","realtime:elsewhere","phx_leave",{}]`)
		_ = c.write(websocket.AppendMasked(nil, websocket.Close, [4]byte{}, nil))
		return c.untilClosed()
	}},
	{"without a word", func(context.Context, *client) error { return nil }},
	{"reset", func(_ context.Context, c *client) error { return c.conn.SetLinger(0) }},
	{"reads no more", func(ctx context.Context, c *client) error {
		_ = c.conn.SetReadBuffer(4096)
		_ = pause(ctx, idle+ending+2*time.Second) // by then the server has dropped it
		return nil
	}},
	{"half a message", func(_ context.Context, c *client) error {
		frame := websocket.AppendMasked(nil, websocket.Text, [4]byte{}, make([]byte, 100_000))
		return c.write(frame[:rand.IntN(len(frame))])
	}},
	{"a frame that is none", func(_ context.Context, c *client) error {
		_ = c.write([]byte{0xFF, 0xFF, 0xFF, 0xFF})
		return c.untilClosed()
	}},
	{"failing joins", func(_ context.Context, c *client) error {
		for n := range 300 {
			if err := c.send(`["%d","%d","realtime:refused","phx_join",{"config":{"private":true}}]`, n, n); err != nil {
				return nil // hung up on: it reads nothing meanwhile
			}
		}
		return nil
	}},
}

// untilClosed reads until the server closes.
func (c *client) untilClosed() error {
	err := c.listen(time.Now().Add(patient), func(*phoenix.ServerFrame) error { return nil })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the server does not close: %w", err)
	}
	return nil
}

// churn keeps all clients busy until ctx ends, and returns when they are gone.
func (c *crowd) churn(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range c.clients {
		wg.Go(func() {
			// Not all at once.
			if pause(ctx, time.Duration(i)*5*time.Second/time.Duration(c.clients)) != nil {
				return
			}
			for ctx.Err() == nil {
				if rand.IntN(10) == 0 {
					c.hesitate(ctx)
					continue
				}
				p := partings[rand.IntN(len(partings))]
				err := c.live(ctx, p)
				switch {
				case ctx.Err() != nil:
				case err == nil:
					c.partings.add(p.name)
				default:
					c.failures.add(cause(err))
					_ = pause(ctx, time.Second)
				}
			}
		})
	}
	wg.Wait()
}

// cause returns an error as a sentence that does not differ by port numbers.
func cause(err error) string {
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		return failed.Op + ": " + failed.Err.Error()
	}
	return err.Error()
}

// hesitate opens a connection that never becomes a WebSocket.
func (c *crowd) hesitate(ctx context.Context) {
	conn, err := dial(ctx, c.node.addr)
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte("GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: local"))
	_ = pause(ctx, time.Duration(rand.IntN(2000))*time.Millisecond)
	_ = conn.Close()
	c.partings.add("half a handshake")
}

// live is one life of a client: connect, join, track, talk, part.
func (c *crowd) live(ctx context.Context, p parting) error {
	client, err := connect(ctx, c.node)
	if err != nil {
		return err
	}
	defer func() { _ = client.conn.Close() }()
	topic := room(rand.IntN(c.rooms()))
	if _, err := client.join(topic); err != nil {
		return err
	}
	if err := client.send(`["1","2","%s","presence",{"event":"track","payload":{"here":true}}]`, topic); err != nil {
		return err
	}
	for n := range 1 + rand.IntN(5) {
		err := client.send(`["1",null,"%s","broadcast",{"event":"soak","n":%d,"text":"%0*d"}]`, topic, n, rand.IntN(2000), 0)
		if err != nil {
			return err
		}
		until := time.Now().Add(time.Duration(rand.IntN(800)) * time.Millisecond)
		err = client.listen(until, func(*phoenix.ServerFrame) error { return nil })
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("listen: %w", err)
		}
	}
	return p.do(ctx, client)
}

// rehearse lets a few clients live once in each way, so that what a server
// allocates at first is there before it is measured.
func (c *crowd) rehearse(ctx context.Context) error {
	few := &crowd{node: c.node, clients: roomSize}
	for _, p := range partings {
		if err := few.live(ctx, p); err != nil {
			return fmt.Errorf("rehearse %q: %w", p.name, err)
		}
	}
	return nil
}

// verdict is an error if one life in a hundred went against the script.
func (c *crowd) verdict() error {
	var lives, failures int64
	for _, n := range c.partings.all() {
		lives += n
	}
	for _, n := range c.failures.all() {
		failures += n
	}
	if failures*100 > lives {
		return fmt.Errorf("%d of %d clients failed", failures, lives+failures)
	}
	return nil
}

// present is an error if somebody is still present in a room.
func (c *crowd) present(ctx context.Context) error {
	for n := range c.rooms() {
		client, err := connect(ctx, c.node)
		if err != nil {
			return err
		}
		state, err := client.join(room(n))
		_ = client.conn.Close()
		if err != nil {
			return err
		}
		if state != "{}" {
			return fmt.Errorf("somebody is still present in %s: %.200s", room(n), state)
		}
	}
	return nil
}

//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
	"github.com/tutti-realtime/tutti/internal/yard"
)

// A ticket says where a client goes, and as whom.
type ticket struct {
	tenant string
	at     yard.Place
	topic  string
	token  string
	config map[string]any // of the join
}

// A session is one connection of a client that is in one channel, from its
// handshake to its end. What comes is told to hear, one after another.
type session struct {
	ticket
	conn   net.Conn
	reader websocket.Reader
	early  []byte // came with the answer to the handshake
	hear   func(m *message, at time.Time)
	gone   chan struct{} // closed when the connection has ended and all is heard

	writing sync.Mutex // guards ref, and frames are written under it
	ref     int

	mu      sync.Mutex // guards all below; hear is called under it
	bell    chan struct{}
	joined  time.Time // the reply to the join came
	refused string    // or it was another
	over    time.Time // the channel was closed
	ended   time.Time
	why     string
}

// A message is one that came.
type message struct {
	event   string
	ref     string
	payload []byte
}

// patient is how long a client waits for an answer.
const patient = 20 * time.Second

// pulse is how often a client says that it is there.
const pulse = time.Second

// connect opens a WebSocket and sends the join. run must be called afterwards, in
// a goroutine that is waited for.
func (s *stage) connect(ctx context.Context, t ticket) (*session, error) {
	c, err := s.dial(ctx, t)
	if err != nil {
		return nil, err
	}
	payload := map[string]any{"access_token": t.token, "config": t.config}
	if _, err := c.push("phx_join", payload); err != nil {
		return nil, errors.Join(err, c.conn.Close())
	}
	return c, nil
}

// dial opens a WebSocket and says nothing.
func (s *stage) dial(ctx context.Context, t ticket) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	conn, err := s.network.Dial(ctx, "tcp", s.nodes[t.at].http)
	if err != nil {
		return nil, fmt.Errorf("connect to node %v: %w", t.at, err)
	}
	c := &session{ticket: t, conn: conn, gone: make(chan struct{}), bell: make(chan struct{})}
	c.reader.Limit, c.reader.Unmasked = 16<<20, true
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := c.shake(); err != nil {
		return nil, errors.Join(fmt.Errorf("shake hands with node %v: %w", t.at, err), conn.Close())
	}
	return c, nil
}

// shake makes a WebSocket of the connection. RFC 6455, section 4.1.
func (c *session) shake() error {
	_, err := fmt.Fprintf(c.conn, "GET /socket/websocket?vsn=1.0.0&apikey=%s HTTP/1.1\r\nHost: %s.localhost\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dHV0dGktbG9hZC1nZW4hIQ==\r\n\r\n", c.token, c.tenant)
	if err != nil {
		return err
	}
	r := bufio.NewReader(c.conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	_ = answer.Body.Close() // has nothing in it: what follows are frames
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	early, _ := r.Peek(r.Buffered()) // cannot fail: it is there
	c.early = append([]byte(nil), early...)
	return nil
}

// push sends a message to the session's topic and returns its ref.
func (c *session) push(event string, payload any) (ref string, err error) {
	return c.pushTo(c.topic, event, payload)
}

func (c *session) pushTo(topic, event string, payload any) (ref string, err error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.ref++
	ref = strconv.Itoa(c.ref)
	text := fmt.Appendf(nil, `{"topic":%q,"event":%q,"payload":%s,"ref":%q,"join_ref":"1"}`, topic, event, body, ref)
	return ref, c.write(websocket.AppendMasked(nil, websocket.Text, [4]byte{1, 2, 3, 4}, text))
}

// write writes bytes. A node that stands still takes some and then no more.
func (c *session) write(b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(patient)); err != nil {
		return err
	}
	_, err := c.conn.Write(b)
	return err
}

// run takes what comes until the connection ends, which ctx ends too.
func (c *session) run(ctx context.Context) {
	defer close(c.gone)
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	err := c.read()
	_ = c.conn.Close()
	c.note(func() { c.ended, c.why = time.Now(), err.Error() })
}

func (c *session) read() error {
	buf := make([]byte, 16<<10)
	for last := time.Now(); ; {
		if time.Since(last) > pulse {
			last = time.Now()
			if _, err := c.pushTo("phoenix", "heartbeat", struct{}{}); err != nil {
				return err
			}
		}
		data := c.early
		c.early = nil
		if len(data) == 0 {
			if err := c.conn.SetReadDeadline(time.Now().Add(pulse)); err != nil {
				return err
			}
			n, err := c.conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			if err != nil {
				return err
			}
			data = buf[:n]
		}
		if err := c.reader.Read(data, c.take); err != nil {
			return err
		}
	}
}

// take takes one message of the WebSocket.
func (c *session) take(op websocket.Opcode, payload []byte) error {
	at := time.Now()
	switch op {
	case websocket.Close:
		code, reason, _ := websocket.ParseClose(payload)
		return closed{code, reason}
	case websocket.Text, websocket.Binary:
		f, err := phoenix.DecodeServer(phoenix.V1, op == websocket.Text, payload)
		if err != nil {
			return err
		}
		if string(f.Topic) == c.topic {
			c.note(func() { c.learn(&message{f.Event, strings.Trim(string(f.Ref), `"`), f.Payload}, at) })
		}
	}
	return nil
}

// A closed is a close frame of the server.
type closed struct {
	code   int
	reason string
}

func (c closed) Error() string { return fmt.Sprintf("closed with %d %s", c.code, c.reason) }

// learn takes one message of the channel.
func (c *session) learn(m *message, at time.Time) {
	switch {
	case m.event == phoenix.EventReply && m.ref == "1":
		var p struct {
			Status   string
			Response struct{ Reason string }
		}
		_ = json.Unmarshal(m.payload, &p)
		if p.Status == "ok" {
			c.joined = at
		} else {
			c.refused = p.Status + ": " + p.Response.Reason
		}
	case m.event == "phx_close" || m.event == "phx_error":
		c.over = at
	}
	if c.hear != nil {
		c.hear(m, at)
	}
}

// note changes what is known, and wakes who waits for that.
func (c *session) note(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.bell)
	c.bell = make(chan struct{})
}

// until waits until what is known of the session is as wished, or it has ended,
// or ctx has.
func (c *session) until(ctx context.Context, wished func() bool) error {
	for {
		c.mu.Lock()
		ok, over, why, bell := wished(), !c.ended.IsZero(), c.why, c.bell
		c.mu.Unlock()
		switch {
		case ok:
			return nil
		case over:
			return errors.New(why)
		}
		select {
		case <-bell:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// enter waits for the answer to the join.
func (c *session) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patient, errors.New("the join has no answer"))
	defer cancel()
	if err := c.until(ctx, func() bool { return !c.joined.IsZero() || c.refused != "" }); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != "" {
		return fmt.Errorf("the join was refused: %s", c.refused)
	}
	return nil
}

// live reports whether the session is in its channel.
func (c *session) live() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended.IsZero() && c.over.IsZero()
}

// end closes the connection, and waits until that is done.
func (c *session) end() {
	_ = c.conn.Close()
	<-c.gone
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A client is one connection to the server.
type client struct {
	conn   *net.TCPConn
	reader websocket.Reader
	early  []byte // came with the answer to the handshake
	buf    []byte
}

// patient is how long a client waits for an answer.
const patient = 20 * time.Second

// dial opens a TCP connection.
func dial(ctx context.Context, addr string) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patient}
	conn, err := d.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// connect opens a WebSocket.
func connect(ctx context.Context, s *server) (*client, error) {
	conn, err := dial(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, buf: make([]byte, 4096)}
	c.reader.Limit, c.reader.Unmasked = 16<<20, true
	if err := c.shake(s.key); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// shake makes a WebSocket of the connection. RFC 6455, section 4.1.
func (c *client) shake(key string) error {
	if err := c.conn.SetDeadline(time.Now().Add(patient)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.conn, "GET /socket/websocket?vsn=2.0.0&apikey=%s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dHV0dGktbG9hZC1nZW4hIQ==\r\n\r\n", key)
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
		return fmt.Errorf("the handshake is answered %s", answer.Status)
	}
	early, _ := r.Peek(r.Buffered()) // cannot fail: it is there
	c.early = append([]byte(nil), early...)
	return c.conn.SetDeadline(time.Time{})
}

// send sends a text frame.
func (c *client) send(format string, args ...any) error {
	return c.write(websocket.AppendMasked(nil, websocket.Text, [4]byte{1, 2, 3, 4}, fmt.Appendf(nil, format, args...)))
}

func (c *client) write(b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(patient)); err != nil {
		return err
	}
	_, err := c.conn.Write(b)
	return err
}

// listen reads until a time, and calls each with every message. Its error, one
// of the connection or a close frame ends the listening; after errFound what came
// together with it is heard to the end.
func (c *client) listen(until time.Time, each func(*phoenix.ServerFrame) error) error {
	if err := c.conn.SetReadDeadline(until); err != nil {
		return err
	}
	for found := false; !found; {
		data := c.early
		c.early = nil
		if len(data) == 0 {
			n, err := c.conn.Read(c.buf)
			if err != nil {
				return err
			}
			data = c.buf[:n]
		}
		err := c.reader.Read(data, func(op websocket.Opcode, payload []byte) error {
			switch op {
			case websocket.Close:
				code, _, _ := websocket.ParseClose(payload)
				return fmt.Errorf("closed by the server with %d", code)
			case websocket.Text, websocket.Binary:
				f, err := phoenix.DecodeServer(phoenix.V2, op == websocket.Text, payload)
				if err != nil {
					return err
				}
				err = each(&f)
				found = found || errors.Is(err, errFound)
				if !errors.Is(err, errFound) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return errFound
}

// errFound ends a listening that has found what it wanted.
var errFound = errors.New("found")

// join joins a topic and returns who is present there.
func (c *client) join(topic string) (state string, err error) {
	if err := c.send(`["1","1","%s","phx_join",{"config":{"presence":{"enabled":true}}}]`, topic); err != nil {
		return "", err
	}
	replied := false
	err = c.listen(time.Now().Add(patient), func(f *phoenix.ServerFrame) error {
		switch f.Event {
		case phoenix.EventReply:
			if status, _ := phoenix.Lookup(f.Payload, "status"); string(status) != `"ok"` {
				return fmt.Errorf("join is answered %s", f.Payload)
			}
			replied = true
		case phoenix.EventPresenceState:
			state = string(f.Payload)
			return errFound
		}
		if !replied {
			return fmt.Errorf("%s comes before the reply to the join", f.Event)
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return state, nil
	}
	return "", fmt.Errorf("join: %w", err)
}

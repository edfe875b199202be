package socket

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// errStopped says that there is no loop to take a connection any more.
var errStopped = errors.New("the server is stopping")

// takeOver turns the connection of a request into a WebSocket on a loop.
func (s *Server) takeOver(w http.ResponseWriter, r *http.Request, client *channel.Client) error {
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this connection cannot become a WebSocket", http.StatusInternalServerError)
		return fmt.Errorf("take over a connection: %w", err)
	}
	early, _ := buffered.Peek(buffered.Reader.Buffered()) // cannot fail: it is there
	early = append([]byte(nil), early...)
	if err := switchProtocols(nc, r.Header.Get("Sec-WebSocket-Key")); err != nil {
		return errors.Join(err, nc.Close())
	}
	l := s.loops[int(s.next.Add(1))%len(s.loops)]
	if !l.post(func() { l.accept(nc, early, client) }) {
		return errors.Join(errStopped, nc.Close())
	}
	return nil
}

// switchProtocols sends the answer after which both sides speak frames.
func switchProtocols(nc net.Conn, key string) error {
	const patience = 5 * time.Second
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("switch protocols: %w", err)
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
		websocket.Accept(key) + "\r\n\r\n"
	if _, err := nc.Write([]byte(answer)); err != nil {
		return fmt.Errorf("switch protocols: %w", err)
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("switch protocols: %w", err)
	}
	return nil
}

// accept takes a connection into the loop, with what the client has sent too
// early. It runs on the loop.
func (l *loop) accept(nc net.Conn, early []byte, client *channel.Client) {
	l.generation++
	c := &conn{loop: l, client: *client, heard: time.Now(), generation: l.generation}
	c.client.Desk, c.client.Line = l.desk, c
	c.reader.Limit = l.server.Settings.MaxFrame
	l.add(c)
	var err error
	if c.wire, err = l.plain(c, nc); err != nil {
		l.server.Log.Error("a connection is lost", "tenant", client.TenantID, "err", err)
		l.remove(c)
		return
	}
	if c.wire == nil {
		s := newStream(l, c, nc)
		c.wire = s
		l.streams.Go(s.receive)
	}
	if l.server.draining.Load() {
		c.Hangup(websocket.CodeRestart, "")
	}
	if len(early) > 0 {
		c.received(early)
	}
}

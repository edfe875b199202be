package app

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// FuzzConnection sends what a client may think of over a real connection. The
// server never panics, and another client goes on talking.
func FuzzConnection(f *testing.F) {
	for _, seed := range []string{
		`["1","1","realtime:a","phx_join",{"config":{"broadcast":{"ack":true,"self":true},"presence":{"enabled":true,"key":"k"},"postgres_changes":[{"event":"*"}]}}]`,
		`["1","2","realtime:a","presence",{"event":"track","payload":{"a":1}}]`,
		`["1","3","realtime:a","access_token",{"access_token":"a.b.c"}]`,
		`["1","4","realtime:a","broadcast",{"event":"e"}]`,
		`["1","5","realtime:a","phx_leave",{}]`,
		`[null,"6","phoenix","heartbeat",{}]`,
		"\x03\x01\x01\x0a\x01\x00\x0111realtime:ae{\"a\":1}",
	} {
		f.Add(masked(0x81, seed), true)
		f.Add(masked(0x82, seed), true)
		f.Add([]byte(seed), false)
	}
	f.Add(append(masked(0x01, `["1","1",`), masked(0x80, `"realtime:a","phx_join",{}]`)...), true)
	f.Add(masked(0x88, "\x03\xe8bye"), true)
	f.Add(masked(0x89, "ping"), true)
	m, log := tcp(f), &trap{}
	s := &script{medium: m, t: f, clients: map[string]*speaker{}, file: f.TempDir() + "/tenants.yaml", log: log}
	s.flags = append(s.flags, "--queue-bytes=65536")
	s.unlimited()
	f.Cleanup(func() { s.t = f; s.end() })
	f.Fuzz(func(t *testing.T, data []byte, frames bool) {
		s.t = t
		if s.clients["bob"] == nil {
			s.join("bob", "b")
		}
		conn, _ := s.handshake(map[string]string{})
		defer func() { _ = conn.Close() }()
		if !frames {
			data = append(masked(0x81, string(data)), masked(0x82, string(data))...)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write(append(data, masked(0x88, "")...))
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
		answer, err := io.ReadAll(conn)
		if err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("the connection does not end: %v", err)
		}
		r := websocket.Reader{Limit: 10 << 20, Unmasked: true}
		if err := r.Read(answer, func(websocket.Opcode, []byte) error { return nil }); err != nil {
			t.Errorf("the server sends what is no WebSocket: %v", err)
		}
		for _, note := range log.said() {
			t.Errorf("logged: %s", note)
		}
		s.client("bob").fence("after")
	})
}

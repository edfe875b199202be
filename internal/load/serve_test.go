package load

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

func accept() string { return websocket.Accept(handshakeKey) }

// A server is as much of Supabase Realtime as a load needs, made with nothing of
// the engine: net/http, and a goroutine for each connection.
type server struct {
	t       *testing.T
	secure  bool
	tamper  func(n int) (copies int) // how often the nth delivery is sent; nil means once
	refuse  func(n int) string       // why the nth handshake is refused; nil means never
	onJoin  func() string            // a frame after each join's reply
	address string

	mu        sync.Mutex // guards what follows
	shaken    int
	delivered int
	peers     map[*peer]bool
	present   map[string]string // by presence key: the payload that is tracked
	wg        sync.WaitGroup
}

type peer struct {
	conn    net.Conn
	version phoenix.Version
	topic   string
	key     string
}

// start serves until the test ends.
func (s *server) start() *server {
	s.peers, s.present = map[*peer]bool{}, map[string]string{}
	h := httptest.NewUnstartedServer(s)
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that hang up
	if s.secure {
		h.StartTLS()
	} else {
		h.Start()
	}
	s.address = h.URL
	s.t.Cleanup(func() {
		h.Close()
		s.mu.Lock()
		for p := range s.peers {
			_ = p.conn.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.shaken++
	n := s.shaken
	s.mu.Unlock()
	if s.refuse != nil {
		if why := s.refuse(n); why != "" {
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": why})
			return
		}
	}
	version, _ := phoenix.ParseVersion(r.URL.Query().Get("vsn"))
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.t.Error(err)
		return
	}
	p := &peer{conn: conn, version: version}
	_, _ = fmt.Fprintf(conn, "%s%s\r\n\r\n", accepted, websocket.Accept(r.Header.Get("Sec-WebSocket-Key")))
	s.mu.Lock()
	s.peers[p] = true
	s.mu.Unlock()
	s.wg.Go(func() { s.read(p, buffered.Reader) })
}

func (s *server) read(p *peer, from *bufio.Reader) {
	reader := websocket.Reader{Limit: 1 << 20}
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err == nil {
			err = reader.Read(buf[:n], func(op websocket.Opcode, data []byte) error { return s.frame(p, op, data) })
		}
		if err != nil {
			_ = p.conn.Close()
			s.mu.Lock()
			delete(s.peers, p)
			s.mu.Unlock()
			return
		}
	}
}

func (s *server) frame(p *peer, op websocket.Opcode, data []byte) error {
	f, err := phoenix.Decode(p.version, op == websocket.Text, data)
	if err != nil {
		s.t.Errorf("%s: %v", data, err)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.Event {
	case phoenix.EventJoin:
		p.topic = string(f.Topic)
		config, _ := phoenix.Lookup(f.Payload, "config")
		presence, _ := phoenix.Lookup(config, "presence")
		raw, _ := phoenix.Lookup(presence, "key")
		p.key, _ = phoenix.Unquote(raw)
		s.reply(p, &f)
		if s.onJoin != nil {
			p.text([]byte(s.onJoin()))
		}
	case phoenix.EventHeartbeat:
		s.reply(p, &f)
	case phoenix.EventPresence:
		s.reply(p, &f)
		s.presence(p, f.Payload)
	case phoenix.EventBroadcast:
		s.fan(p, &f)
	}
	return nil
}

func (s *server) reply(p *peer, f *phoenix.Frame) {
	p.text(phoenix.AppendReply(nil, p.version, phoenix.Reply{
		JoinRef: f.JoinRef, Ref: f.Ref, Topic: string(f.Topic), Status: phoenix.StatusOK,
	}))
}

func (p *peer) text(message []byte) {
	_, _ = p.conn.Write(websocket.AppendFrame(nil, websocket.Text, message))
}

// fan sends a broadcast to the others of the topic, as kind 4 if it came as 3.
func (s *server) fan(from *peer, f *phoenix.Frame) {
	for p := range s.peers {
		if p == from || p.topic != from.topic {
			continue
		}
		frame := websocket.AppendFrame(nil, websocket.Text, phoenix.AppendPush(nil, p.version, nil, p.topic, f.Event, f.Payload))
		if f.Kind == phoenix.UserBroadcast {
			head := []byte{4, byte(len(p.topic)), byte(len(f.UserEvent)), 0, 1}
			head = append(append(append(head, p.topic...), f.UserEvent...), f.Payload...)
			frame = websocket.AppendFrame(nil, websocket.Binary, head)
		}
		copies := 1
		if s.tamper != nil {
			copies = s.tamper(s.delivered)
		}
		s.delivered++
		for range copies {
			_, _ = p.conn.Write(frame)
		}
	}
}

// presence sends everybody the difference that a push made.
func (s *server) presence(from *peer, push []byte) {
	before, was := s.present[from.key]
	payload, tracked := phoenix.Lookup(push, "payload")
	joins, leaves := "{}", "{}"
	if was {
		leaves = fmt.Sprintf(`{%q:{"metas":[%s]}}`, from.key, before)
	}
	delete(s.present, from.key)
	if tracked {
		s.present[from.key] = string(payload)
		joins = fmt.Sprintf(`{%q:{"metas":[%s]}}`, from.key, payload)
	}
	diff := fmt.Appendf(nil, `{"joins":%s,"leaves":%s}`, joins, leaves)
	for p := range s.peers {
		p.text(phoenix.AppendPush(nil, p.version, nil, p.topic, phoenix.EventPresenceDiff, diff))
	}
}

package app

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A test of bad input speaks to a whole server, as the conversations do, where
// lines of text will not do.

// everywhere runs a test over pipes in virtual time, over TCP and epoll, and
// over TCP with a goroutine for each connection.
func everywhere(t *testing.T, test func(*script)) {
	t.Run("pipes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, pipes(), test) })
	})
	overTCP(t, test)
}

// overTCP runs a test where time is real.
func overTCP(t *testing.T, test func(*script)) {
	t.Run("epoll", func(t *testing.T) { run(t, tcp(t), test) })
	t.Run("portable", func(t *testing.T) {
		m := tcp(t)
		m.flags = append(m.flags, "--portable")
		run(t, m, test)
	})
}

func run(t *testing.T, m medium, test func(*script)) {
	s := &script{t: t, medium: m, clients: map[string]*speaker{}, file: t.TempDir() + "/tenants.yaml"}
	s.flags = append(s.flags, "--metrics-jwt-secret="+metricsSecret)
	defer s.end()
	test(s)
}

// unlimited takes the tenant's limits away.
func (s *script) unlimited() {
	for _, field := range []string{
		"max_concurrent_users", "max_events_per_second", "max_joins_per_second",
		"max_channels_per_client", "max_presence_events_per_second",
	} {
		s.fields = append(s.fields, field+": 10000000")
	}
}

// join connects a client and lets it join a topic.
func (s *script) join(name, topic string) *speaker {
	s.connect(name, "")
	c := s.client(name)
	c.join(topic)
	return c
}

func (c *speaker) join(topic string) {
	c.send(`["1","1","realtime:` + topic + `","phx_join",{"config":{}}]`)
	c.expect(`["1","1","realtime:` + topic + `","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}]`)
}

// say sends a broadcast with a number.
func (c *speaker) say(topic string, n int, filler string) {
	c.write(websocket.Text, fmt.Appendf(nil, `["1",null,"realtime:%s","broadcast",{"event":"%s","n":%d,"f":"%s"}]`, topic, c.name, n, filler))
}

// heardFrom reads a broadcast that say has sent.
func (c *speaker) heardFrom() (name string, n int) {
	f := c.next()
	_, after, found := bytes.Cut(f.payload, []byte(`{"event":"`))
	if f.op == websocket.Text && found {
		text, rest, _ := strings.Cut(string(after), `","n":`)
		if _, err := fmt.Sscanf(rest, "%d", &n); err == nil {
			return text, n
		}
	}
	c.script.fatalf("%s expects a broadcast, got %.200s", c.name, c.describe(f))
	return "", 0
}

// throw sends bytes as they are. The server may hang up meanwhile.
func (c *speaker) throw(data []byte) {
	_, _ = c.conn.Write(data)
	c.settle()
}

// masked returns a whole frame of a client whose first byte is as given.
func masked(first byte, payload string) []byte {
	frame := websocket.AppendMasked(nil, 0, [4]byte{9, 8, 7, 6}, []byte(payload))
	frame[0] = first
	return frame
}

// dial opens a connection that has not said anything.
func (s *script) dial() net.Conn {
	s.serve()
	conn, err := s.medium.dial()
	if err != nil {
		s.fatalf("%v", err)
	}
	return conn
}

// until asks one question after another with c until done says yes: then the
// server has had the time that it needs.
func (c *speaker) until(what string, done func() bool) {
	for i := range 200_000 {
		if done() {
			return
		}
		c.fence(fmt.Sprint("until", i))
	}
	c.script.fatalf("this never happens: %s", what)
}

// metricsSecret signs the tokens that may read the metrics of a test's server.
const metricsSecret = "another-secret-that-is-long-enough"

// metric returns a number from the server's metrics, 0 for one it has not. It may
// have labels: name{label="value"}.
func (s *script) metric(name string) int { return sumOf(s.t, s.page("/metrics"), name) }

// hangups returns how many connections the server closed with a code.
func (s *script) hangups(code string) int {
	return s.metric(`tutti_socket_hangups_total{code="` + code + `"}`)
}

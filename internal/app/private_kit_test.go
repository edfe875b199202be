package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// Tests of private channels and of messages from the database speak to a whole
// server over TCP, whose tenant has a real database.

// withDatabase runs a test with a server whose tenant acme has the database at
// a DSN, and no limits.
func withDatabase(t *testing.T, dsn string, settings map[string]any, test func(*script)) {
	run(t, tcp(t), func(s *script) {
		s.unlimited()
		s.fields = append(s.fields, "max_client_presence_events_per_window: 1000000", databaseField(t, dsn, settings))
		s.flags = append(s.flags, "--loops=3")
		test(s)
	})
}

// databaseField returns the field of a tenant that names its database.
func databaseField(t testing.TB, dsn string, more map[string]any) string {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{
		"db_host": c.Host, "db_port": c.Port, "db_name": c.Database, "db_user": c.User, "db_password": c.Password,
		"ssl_enforced": false, "db_pool": 3,
		"slot_name": "slot_" + c.Database, // a server has one of each name for all its databases
	}
	maps.Copy(settings, more)
	text, err := json.Marshal([]any{map[string]any{"type": "postgres_cdc_rls", "settings": settings}})
	if err != nil {
		t.Fatal(err)
	}
	return "extensions: " + string(text)
}

// A console is a connection of a superuser's to a database.
type console struct {
	t    testing.TB
	conn *pgx.Conn
}

func consoleOf(t testing.TB, dsn string) *console {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return &console{t: t, conn: conn}
}

// do runs statements. All in one call are one transaction.
func (c *console) do(sql string, args ...any) {
	c.t.Helper()
	var err error
	if len(args) == 0 {
		_, err = c.conn.PgConn().Exec(c.t.Context(), sql).ReadAll()
	} else {
		_, err = c.conn.Exec(c.t.Context(), sql, args...)
	}
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

// value returns the one text that a query has as its result.
func (c *console) value(sql string, args ...any) (text string) {
	c.t.Helper()
	if err := c.conn.QueryRow(c.t.Context(), sql, args...).Scan(&text); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return text
}

// allMayAll are policies that allow everybody everything.
const allMayAll = `
CREATE POLICY "all read" ON realtime.messages FOR SELECT TO anon, authenticated USING (true);
CREATE POLICY "all write" ON realtime.messages FOR INSERT TO anon, authenticated WITH CHECK (true);`

// An identity is what a client's token, and its header x-room, say.
type identity struct {
	name, role, sub, room string
	claims                map[string]any // more of them
}

// service may do everything.
var service = identity{name: "service", role: "service_role"}

// mint returns a token that is like no other.
func (s *script) mint(who identity) string {
	claims := map[string]any{"role": who.role, "exp": time.Now().Add(time.Hour).Unix(), "jti": fmt.Sprint(time.Now().UnixNano())}
	if who.sub != "" {
		claims["sub"] = who.sub
	}
	maps.Copy(claims, who.claims)
	token, err := auth.Mint(testSecret, claims)
	if err != nil {
		s.fatalf("%v", err)
	}
	return token
}

// enter connects a client.
func (s *script) enter(name string, who identity, vsn string) *speaker {
	s.connect(name, fmt.Sprintf("vsn=%s room=%s query=vsn=%s&apikey=%s", vsn, who.room, vsn, s.mint(who)))
	return s.client(name)
}

// rest sends a request to the broadcast API.
func (s *script) rest(path, contentType, body, token, room string) (int, string) {
	s.serve()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost,
		"http://"+s.medium.listener.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		s.fatalf("%v", err)
	}
	r.Host = "acme.localhost:4000"
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", contentType)
	if room != "" {
		r.Header.Set("X-Room", room)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		s.fatalf("%v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.fatalf("%v", err)
	}
	return answer.StatusCode, string(text)
}

// An utterance is a frame that a client was sent.
type utterance struct {
	JoinRef string          `json:"join_ref"`
	Ref     string          `json:"ref"`
	Topic   string          `json:"topic"`
	Event   string          `json:"event"` // that of the user in a user broadcast
	Payload json.RawMessage `json:"payload"`
	cast    bool            // it is a user broadcast (kind 4)
	binary  bool            // of bytes
	meta    string          // of it
}

func parseUtterance(v phoenix.Version, f heard) (u utterance, err error) {
	switch {
	case f.op == websocket.Binary:
		m, err := phoenix.DecodeServer(v, false, f.payload)
		if err != nil {
			return u, err
		}
		return utterance{
			Topic: string(m.Topic), Event: m.UserEvent, Payload: m.Payload, meta: string(m.Meta),
			cast: true, binary: m.Encoding == phoenix.EncodingBinary,
		}, nil
	case f.op != websocket.Text:
		return u, fmt.Errorf("frame of kind %v: %q", f.op, f.payload)
	case v == phoenix.V1:
		return u, json.Unmarshal(f.payload, &u)
	}
	err = json.Unmarshal(f.payload, &[]any{&u.JoinRef, &u.Ref, &u.Topic, &u.Event, &u.Payload})
	return u, err
}

// String returns what matters of a frame, such as "reply 1 ok".
func (u utterance) String() string {
	var p struct {
		Status, Event, Message string
		Response               struct{ Reason string }
	}
	_ = json.Unmarshal(u.Payload, &p)
	switch {
	case u.cast:
		return "cast " + u.Event
	case u.Event == "phx_reply":
		return strings.TrimSpace("reply " + u.Ref + " " + p.Status + " " + p.Response.Reason)
	case u.Event == "broadcast":
		return "broadcast " + p.Event
	case u.Event == "system":
		return "system " + p.Message
	}
	return u.Event
}

func summaries(all []utterance) []string {
	texts := make([]string, len(all))
	for i, u := range all {
		texts[i] = u.String()
	}
	return texts
}

// read returns the next frame.
func (c *speaker) read() utterance {
	f := c.next()
	u, err := parseUtterance(c.version, f)
	if err != nil {
		c.script.fatalf("%s hears what it does not understand: %v", c.name, err)
	}
	return u
}

// hearUntil returns all frames up to one that says what is wanted.
func (c *speaker) hearUntil(what string) (before []utterance, last utterance) {
	for {
		u := c.read()
		if u.String() == what {
			return before, u
		}
		if before = append(before, u); len(before) > 20_000 {
			c.script.fatalf("%s does not hear %q, but %v …", c.name, what, before[:20])
		}
	}
}

// hear returns what the client is sent until the server has answered some
// questions: what was on its way has come by then.
func (c *speaker) hear() []string {
	all := []string{}
	for i := range 3 {
		ref := fmt.Sprint("hear", i)
		c.push("phoenix", "heartbeat", ref, "{}")
		before, _ := c.hearUntil("reply " + ref + " ok")
		all = append(all, summaries(before)...)
	}
	return all
}

// push sends a push.
func (c *speaker) push(topic, event, ref, payload string) {
	if c.version == phoenix.V1 {
		c.write(websocket.Text, fmt.Appendf(nil, `{"topic":%q,"event":%q,"ref":%q,"join_ref":"1","payload":%s}`, topic, event, ref, payload))
		return
	}
	c.write(websocket.Text, fmt.Appendf(nil, `["1",%q,%q,%q,%s]`, ref, topic, event, payload))
}

// joinWith joins a topic and returns what the reply says, without its ref.
func (c *speaker) joinWith(topic, config string) string {
	c.push("realtime:"+topic, "phx_join", "1", `{"config":`+config+`}`)
	for {
		if text, is := strings.CutPrefix(c.read().String(), "reply 1 "); is {
			return text
		}
	}
}

// mustJoin joins a topic, and waits until messages of the database are heard.
func (c *speaker) mustJoin(topic, config string) {
	if got := c.joinWith(topic, config); got != "ok" {
		c.script.fatalf("%s wants to join: %s", c.name, got)
	}
	c.hearUntil("system Replication connection established")
}

// A logbook is what a server has logged.
type logbook struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

// Write implements io.Writer.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// says reports whether one line has all of the parts.
func (l *logbook) says(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for line := range strings.Lines(l.text.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		return true
	}
	return false
}

func (l *logbook) handler() slog.Handler { return slog.NewTextHandler(l, nil) }

// eventuallyTrue polls.
func eventuallyTrue(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

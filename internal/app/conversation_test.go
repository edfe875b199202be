package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/extension/music"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// The conversations in testdata say what clients and server tell each other,
// line by line:
//
//	set --channel-backoff=5s      a flag of the server; before the first client
//	tenant max_events_per_second: 10
//	                              a field of the tenant; before the first client
//	ann connect                   a client connects; vsn=1.0.0, role=…, ttl=…
//	ann refused 401 {"error":…}   a client does not get in; query=…, host=…
//	ann> ["1","1",…]              the client sends a text frame
//	ann> cast 1 2 TOPIC EVENT json {…}
//	                              … or a user broadcast (kind 3); bytes 0a0b for binary
//	ann< ["1","1",…]              the client receives exactly this next; "$any" is any value
//	ann< cast TOPIC EVENT {…} json {…}
//	                              … or a user broadcast (kind 4), with its metadata or -
//	ann silent                    the client receives nothing
//	ann closed 1012               the server hangs up with this code; 1006 is without one
//	ann leaves                    the connection ends without a word
//	wait 5s                       time passes; only where time is virtual
//	file tenant suspend: true     the tenant changes
//	stop                          the server is told to stop
//	policy read anon t broadcast,presence
//	                              what policies say from now on; see somePolicies
//	stored t ID EVENT json {…}    a message of the past
//	row t ID EVENT json {…}       a message that the database sends now
//	reauthorize topic=t count=1   an operator has the policies asked again
//
// Each is spoken over pipes in virtual time, over TCP and epoll, and over TLS.

func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name+"/pipes", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { converse(t, string(text), pipes()) })
		})
		if strings.Contains(string(text), "\nwait ") {
			continue // real time would take its time
		}
		t.Run(name+"/tls", func(t *testing.T) {
			t.Parallel()
			converse(t, string(text), overTLS(t))
		})
		t.Run(name+"/tcp", func(t *testing.T) {
			t.Parallel()
			converse(t, string(text), tcp(t))
		})
	}
}

// A medium is how clients reach the server.
type medium struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	virtual  bool
	flags    []string
}

func pipes() medium {
	l := &pipeListener{conns: make(chan net.Conn), over: make(chan struct{})}
	return medium{listener: l, dial: l.dial, virtual: true, flags: []string{"--portable"}}
}

func tcp(t testing.TB) medium {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return medium{
		listener: l,
		dial:     func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) },
		flags:    []string{"--channel-backoff=10", "--connect-backoff=10"},
	}
}

// overTLS is TCP with TLS that ends in the server, with a certificate made for
// the test.
func overTLS(t *testing.T) medium {
	m := tcp(t)
	cert, key, pool := certificate(t)
	m.flags = append(m.flags, "--tls-cert="+cert, "--tls-key="+key)
	address := m.listener.Addr().String()
	m.dial = func() (net.Conn, error) {
		return tls.Dial("tcp", address, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	}
	return m
}

// A script is one conversation as it is spoken.
type script struct {
	t       testing.TB
	medium  medium
	flags   []string
	fields  []string
	file    string
	control bool   // tenants are in a control database, which the flags name
	secret  string // of the tokens; testSecret when empty
	clients map[string]*speaker
	log     slog.Handler // of the server; nil for none
	stub    *somePolicies
	app     *App
	stop    context.CancelFunc
	done    chan error
	line    int
}

const testSecret = "a-secret-that-is-long-enough-for-hs256"

func converse(t *testing.T, text string, m medium) {
	s := &script{t: t, medium: m, clients: map[string]*speaker{}, file: filepath.Join(t.TempDir(), "tenants.yaml")}
	defer s.end()
	for i, line := range strings.Split(text, "\n") {
		s.line = i + 1
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s.speak(line)
	}
}

func (s *script) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("line %d: %s", s.line, fmt.Sprintf(format, args...))
}

func (s *script) speak(line string) {
	who, what, _ := strings.Cut(line, " ")
	what = strings.TrimSpace(what)
	switch {
	case who == "set":
		s.flags = append(s.flags, what)
	case who == "tenant":
		s.fields = append(s.fields, what)
	case who == "file":
		s.fields = append(s.fields, strings.TrimPrefix(what, "tenant "))
		s.writeTenants()
	case who == "wait":
		d, err := time.ParseDuration(what)
		if err != nil {
			s.fatalf("%v", err)
		}
		time.Sleep(d) // virtual: only pipes come here
	case who == "policy":
		s.policy(what)
	case who == "stored":
		s.store(what)
	case who == "row":
		s.row(what)
	case who == "reauthorize":
		s.reauthorize(what)
	case who == "stop":
		s.serve()
		s.stop()
	case strings.HasSuffix(who, ">"):
		s.client(strings.TrimSuffix(who, ">")).send(what)
	case strings.HasSuffix(who, "<"):
		s.client(strings.TrimSuffix(who, "<")).expect(what)
	default:
		s.act(who, what)
	}
}

func (s *script) act(who, what string) {
	verb, rest, _ := strings.Cut(what, " ")
	switch verb {
	case "connect":
		s.connect(who, rest)
	case "refused":
		s.refused(rest)
	case "silent":
		s.client(who).silent()
	case "closed":
		s.client(who).closed(rest)
	case "leaves":
		_ = s.client(who).conn.Close()
	default:
		s.fatalf("nobody knows how to %q", verb)
	}
}

func (s *script) client(name string) *speaker {
	c := s.clients[name]
	if c == nil {
		s.fatalf("%s is not connected", name)
	}
	return c
}

// serve starts the server, unless it runs.
func (s *script) serve() {
	if s.stop != nil {
		return
	}
	s.writeTenants()
	var config Config
	parser, err := kong.New(&config)
	if err != nil {
		s.fatalf("%v", err)
	}
	flags := []string{"--default-tenant=acme"}
	if !s.control {
		flags = append(flags, "--tenants="+s.file)
	}
	flags = append(append(flags, s.medium.flags...), s.flags...)
	if _, err := parser.Parse(flags); err != nil {
		s.fatalf("%v", err)
	}
	config.Extensions = []tutti.Extension{choir(), music.Extension()}
	if s.log == nil {
		s.log = slog.DiscardHandler
	}
	s.app, err = New(config, slog.New(s.log))
	if err != nil {
		s.fatalf("%v", err)
	}
	if s.stub != nil {
		s.stub.loops, s.app.clients.Policies = s.app.feeds.Loops, s.stub
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.done = cancel, make(chan error, 1)
	go func() { s.done <- s.app.Run(ctx, s.medium.listener) }()
}

func (s *script) writeTenants() {
	var b strings.Builder
	fmt.Fprintf(&b, "tenants:\n  - external_id: acme\n    jwt_secret: %s\n", testSecret)
	fields := map[string]string{}
	for _, f := range s.fields {
		name, value, _ := strings.Cut(f, ":")
		fields[name] = value
	}
	for name, value := range fields {
		fmt.Fprintf(&b, "    %s:%s\n", name, value)
	}
	fmt.Fprintf(&b, "  - external_id: other\n    jwt_secret: %s\n", testSecret)
	if err := os.WriteFile(s.file, []byte(b.String()), 0o600); err != nil {
		s.fatalf("%v", err)
	}
}

// end stops the server and waits for it.
func (s *script) end() {
	for _, c := range s.clients {
		_ = c.conn.Close()
	}
	if s.stop == nil {
		return
	}
	s.stop()
	if err := <-s.done; err != nil {
		s.t.Errorf("the server stopped with: %v", err)
	}
	for _, c := range s.clients {
		for range c.frames { // until its reader has ended
		}
	}
}

// options reads "a=b c=d".
func options(text string) map[string]string {
	o := map[string]string{}
	for word := range strings.FieldsSeq(text) {
		k, v, _ := strings.Cut(word, "=")
		o[k] = v
	}
	return o
}

func (s *script) token(o map[string]string) string {
	claims := map[string]any{"role": "anon", "exp": time.Now().Add(time.Hour).Unix()}
	if role := o["role"]; role != "" {
		claims["role"] = role
	}
	if sub := o["sub"]; sub != "" {
		claims["sub"] = sub
	}
	if ttl := o["ttl"]; ttl != "" {
		d, err := time.ParseDuration(ttl)
		if err != nil {
			s.fatalf("%v", err)
		}
		claims["exp"] = time.Now().Add(d).Unix()
	}
	secret := cmp.Or(s.secret, testSecret)
	if o["secret"] != "" {
		secret = o["secret"]
	}
	if o["norole"] != "" {
		delete(claims, "role")
	}
	token, err := auth.Mint(secret, claims)
	if err != nil {
		s.fatalf("%v", err)
	}
	return token
}

// fill puts minted tokens where a line says $token(ttl=2s).
func (s *script) fill(text string) string {
	for {
		before, rest, found := strings.Cut(text, "$token(")
		if !found {
			return text
		}
		inside, after, _ := strings.Cut(rest, ")")
		text = before + s.token(options(inside)) + after
	}
}

// handshake opens a connection and returns it with the answer to its request.
func (s *script) handshake(o map[string]string) (net.Conn, string) {
	s.serve()
	conn, err := s.medium.dial()
	if err != nil {
		s.fatalf("%v", err)
	}
	vsn, host, path := o["vsn"], o["host"], o["path"]
	if vsn == "" {
		vsn = "2.0.0"
	}
	if host == "" {
		host = "acme.localhost:4000"
	}
	if path == "" {
		path = "/socket/websocket"
	}
	extra := ""
	if room := o["room"]; room != "" {
		extra = "X-Room: " + room + "\r\n"
	}
	if parent := o["traceparent"]; parent != "" {
		extra += "Traceparent: " + parent + "\r\n"
	}
	query := "vsn=" + vsn + "&apikey=" + s.token(o)
	if q, given := o["query"]; given {
		query = s.fill(q)
	}
	go func() {
		_, _ = fmt.Fprintf(conn, "GET %s?%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", path, query, host, extra)
	}()
	var head bytes.Buffer
	one := make([]byte, 1)
	for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
		if _, err := conn.Read(one); err != nil {
			s.fatalf("no answer to the handshake: %v", err)
		}
		head.Write(one)
	}
	return conn, head.String()
}

func (s *script) connect(who, rest string) {
	o := options(rest)
	conn, head := s.handshake(o)
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
		s.fatalf("%s is not let in: %s", who, head)
	}
	version := phoenix.V2
	if o["vsn"] == "1.0.0" {
		version = phoenix.V1
	}
	c := &speaker{script: s, name: who, conn: conn, version: version, frames: make(chan heard, 4096)}
	s.clients[who] = c
	go c.listen()
}

func (s *script) refused(rest string) {
	status, rest, _ := strings.Cut(rest, " ")
	body, opts, found := strings.Cut(rest, "} ")
	if found {
		body += "}"
	} else if after, none := strings.CutPrefix(rest, "- "); none {
		body, opts = "-", after
	}
	o := options(opts)
	conn, head := s.handshake(o)
	defer func() { _ = conn.Close() }()
	if !strings.HasPrefix(head, "HTTP/1.1 "+status+" ") {
		s.fatalf("want status %s, got %s", status, head)
	}
	length := 0
	if _, after, found := strings.Cut(head, "Content-Length: "); found {
		_, _ = fmt.Sscan(after, &length)
	}
	got := make([]byte, length)
	if _, err := io.ReadFull(conn, got); err != nil {
		s.fatalf("read the refusal: %v", err)
	}
	if body != "-" && strings.TrimSpace(string(got)) != body {
		s.fatalf("want %s, got %s", body, got)
	}
}

// heard is a frame that a client received.
type heard struct {
	op      websocket.Opcode
	payload []byte
}

// A speaker is a client in a conversation.
type speaker struct {
	script  *script
	name    string
	conn    net.Conn
	version phoenix.Version
	frames  chan heard // closed when the connection ends
}

func (c *speaker) listen() {
	defer close(c.frames)
	reader := websocket.Reader{Limit: 10 << 20, Unmasked: true}
	buf := make([]byte, 4096)
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			return
		}
		err = reader.Read(buf[:n], func(op websocket.Opcode, payload []byte) error {
			c.frames <- heard{op, bytes.Clone(payload)}
			return nil
		})
		if err != nil {
			return
		}
	}
}

func (c *speaker) send(what string) {
	what = c.script.fill(what)
	op, payload := websocket.Text, []byte(what)
	if cast, is := strings.CutPrefix(what, "cast "); is {
		op, payload = websocket.Binary, c.cast(cast)
	}
	c.write(op, payload)
}

func (c *speaker) write(op websocket.Opcode, payload []byte) {
	frame := websocket.AppendMasked(nil, op, [4]byte{1, 2, 3, 4}, payload)
	if _, err := c.conn.Write(frame); err != nil {
		c.script.fatalf("%s cannot send: %v", c.name, err)
	}
	c.settle()
}

// settle waits until the server has done what it will.
func (c *speaker) settle() {
	if c.script.medium.virtual {
		synctest.Wait()
	}
}

func (c *speaker) cast(what string) []byte {
	parts := strings.SplitN(what, " ", 6)
	if len(parts) != 6 {
		c.script.fatalf("cast JOIN_REF REF TOPIC EVENT json|bytes PAYLOAD")
	}
	f := phoenix.Frame{
		Kind: phoenix.UserBroadcast, JoinRef: phoenix.Ref(`"` + parts[0] + `"`), Ref: phoenix.Ref(`"` + parts[1] + `"`),
		Topic: []byte(parts[2]), UserEvent: parts[3], Encoding: phoenix.EncodingJSON, Payload: []byte(parts[5]),
	}
	if parts[4] == "bytes" {
		f.Encoding = phoenix.EncodingBinary
		f.Payload, _ = hex.DecodeString(parts[5])
	}
	out, ok := phoenix.AppendUserBroadcast(nil, &f)
	if !ok {
		c.script.fatalf("the broadcast does not fit a frame")
	}
	return out
}

// next returns the next frame that is not a fence.
func (c *speaker) next() heard {
	c.settle()
	f, open := <-c.frames
	if !open {
		c.script.fatalf("%s was hung up on", c.name)
	}
	return f
}

func (c *speaker) expect(what string) {
	f := c.next()
	got := c.describe(f)
	if cast, is := strings.CutPrefix(what, "cast "); is {
		if got != "cast "+cast {
			c.script.fatalf("%s expects cast %s\ngot %s", c.name, cast, got)
		}
		return
	}
	var want, have any
	if err := json.Unmarshal([]byte(what), &want); err != nil {
		c.script.fatalf("not JSON: %v", err)
	}
	if err := json.Unmarshal(f.payload, &have); err != nil || f.op != websocket.Text {
		c.script.fatalf("%s expects %s\ngot %s", c.name, what, got)
	}
	if !matches(want, have) {
		c.script.fatalf("%s expects %s\ngot %s", c.name, what, got)
	}
}

func (c *speaker) describe(f heard) string {
	switch f.op {
	case websocket.Close:
		code, reason, _ := websocket.ParseClose(f.payload)
		return fmt.Sprintf("close %d %s", code, reason)
	case websocket.Binary:
		m, err := phoenix.DecodeServer(c.version, false, f.payload)
		if err != nil {
			return fmt.Sprintf("binary %x", f.payload)
		}
		meta := string(m.Meta)
		if meta == "" {
			meta = "-"
		}
		if m.Encoding == phoenix.EncodingBinary {
			return fmt.Sprintf("cast %s %s %s bytes %x", m.Topic, m.UserEvent, meta, m.Payload)
		}
		return fmt.Sprintf("cast %s %s %s json %s", m.Topic, m.UserEvent, meta, m.Payload)
	}
	return string(f.payload)
}

// matches compares JSON values; "$any" in want is any value.
func matches(want, have any) bool {
	switch w := want.(type) {
	case string:
		return w == "$any" || reflect.DeepEqual(want, have)
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for i := range w {
			if !matches(w[i], h[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for k := range w {
			if _, there := h[k]; !there || !matches(w[k], h[k]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(want, have)
}

// silent fails if anything is there. In real time, two questions that the
// server answers in turn are a fence: what was on its way has come by then.
func (c *speaker) silent() {
	c.settle()
	if c.script.medium.virtual {
		select {
		case f, open := <-c.frames:
			if open {
				c.script.fatalf("%s is not silent: %s", c.name, c.describe(f))
			}
			c.script.fatalf("%s was hung up on", c.name)
		default:
		}
		return
	}
	for i := range 3 {
		c.fence(fmt.Sprintf("fence%d", i))
	}
}

func (c *speaker) fence(ref string) {
	if c.version == phoenix.V1 {
		c.send(`{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"` + ref + `"}`)
		c.expect(`{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"` + ref + `"}`)
		return
	}
	c.send(`[null,"` + ref + `","phoenix","heartbeat",{}]`)
	c.expect(`[null,"` + ref + `","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}

// closed waits for the server to hang up. A client answers a close frame by
// closing too.
func (c *speaker) closed(code string) {
	c.settle()
	f, open := <-c.frames
	got := "1006"
	if open {
		if f.op != websocket.Close {
			c.script.fatalf("%s expects to be hung up on, got %s", c.name, c.describe(f))
		}
		n, _, _ := websocket.ParseClose(f.payload)
		got = fmt.Sprint(n)
		frame := websocket.AppendMasked(nil, websocket.Close, [4]byte{}, f.payload)
		_, _ = c.conn.Write(frame)
		for range c.frames {
			c.script.fatalf("%s hears something after the close", c.name)
		}
	}
	if got != code {
		c.script.fatalf("%s expects close %s, got %s", c.name, code, got)
	}
}

// A pipeListener makes connections of pipes, which synctest can see through.
type pipeListener struct {
	conns chan net.Conn
	over  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.over:
	default:
		close(l.over)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial() (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/feed"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/presence"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret     = "the-secret-of-those-who-manage-tenants"
	nextSecret = "the-secret-that-comes-after-that-secret"
)

// A loop does what is posted, in a goroutine of its own, until the test ends.
type loop struct {
	shard *hub.Shard
	work  chan func()
}

func (l *loop) Post(_, _ int, f func()) bool { l.work <- f; return true }
func (l *loop) Enqueue(m *hub.Message)       { l.work <- func() { l.shard.Deliver(m) } }

// store is a registry.
type store struct {
	mu  sync.Mutex
	all map[string]*tutti.Tenant
	err error
}

func (m *store) Find(_ context.Context, id string) (*tutti.Tenant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	if t := m.all[id]; t != nil {
		return t, nil
	}
	return nil, tutti.ErrNoTenant
}

func (m *store) List(ctx context.Context, q tutti.TenantQuery) (tutti.TenantPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return tutti.TenantPage{}, m.err
	}
	var all tenant.Fixed
	for _, t := range m.all {
		all = append(all, t)
	}
	return all.List(ctx, q)
}

func (m *store) Put(_ context.Context, t *tutti.Tenant) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, there := m.all[t.ExternalID]
	m.all[t.ExternalID] = t
	return !there, nil
}

func (m *store) Delete(_ context.Context, id string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, there := m.all[id]
	delete(m.all, id)
	return there, nil
}

type closed struct{}

func (closed) Open() int { return 7 }

// A stage is a console with two loops and a tenant.
type stage struct {
	*Console
	t        *testing.T
	server   *httptest.Server
	registry *store
	expelled channel.Who
	reloaded string
	logged   *strings.Builder
	mu       *sync.Mutex // guards logged
}

func (s *stage) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.Write(b)
}

func (s *stage) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.String()
}

func newStage(t *testing.T, set func(*Console)) *stage {
	t.Helper()
	s := &stage{t: t, logged: &strings.Builder{}, mu: &sync.Mutex{}}
	limits := tenant.StandardDefaults()
	acme := limits.Tenant("acme")
	acme.JWTSecret = "a-secret-that-nobody-is-shown-anywhere"
	s.registry = &store{all: map[string]*tutti.Tenant{"acme": acme}}
	loops := make([]hub.Loop, 2)
	ends := []*loop{}
	for i := range loops {
		l := &loop{work: make(chan func(), 10_000)}
		loops[i], ends = l, append(ends, l)
	}
	topics := hub.New(loops)
	var running sync.WaitGroup
	for i, l := range ends {
		l.shard = topics.Shard(i)
		running.Go(func() {
			for f := range l.work {
				f()
			}
		})
	}
	c := &Console{
		Keys:     Keys{User: "root", Password: "right", Secrets: []string{secret, nextSecret}},
		Registry: s.registry, Directory: &tenant.Directory{Store: s.registry}, Defaults: limits, Writable: true,
		Meters: &limit.Meters{}, Topics: topics, Loops: loops, Roster: &presence.Roster{Deliver: topics.Deliver},
		Feeds: &feed.Feeds{}, Sockets: closed{}, Bus: &cluster.Local{Self: cluster.Member{ID: "n1", Version: "test"}},
		Health: func(context.Context, *tutti.Tenant) Health { return Health{Healthy: true, Node: "n1"} },
		Expel: func(_ context.Context, _ string, who channel.Who) (int, error) {
			s.expelled = who
			return 3, nil
		},
		Reload: func(_ context.Context, id string) error { s.reloaded = id; return nil },
		Log:    slog.New(slog.NewTextHandler(s, nil)),
	}
	if set != nil {
		set(c)
	}
	s.Console = New(c)
	s.server = httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		s.Close()
		s.server.Close()
		for _, l := range ends {
			close(l.work)
		}
		running.Wait()
	})
	return s
}

// ask sends a request as somebody who has the password, unless change says otherwise.
func (s *stage) ask(method, path, body string, change func(*http.Request)) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+"/admin/api"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.SetBasicAuth("root", "right")
	r.Header.Set("X-Requested-With", "tutti")
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	answer, err := s.server.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// expect asks, and reads the answer into a value.
func (s *stage) expect(method, path, body string, status int, into any) {
	s.t.Helper()
	answer := s.ask(method, path, body, nil)
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if answer.StatusCode != status {
		s.t.Fatalf("%s %s %s answers %d %s, want %d", method, path, body, answer.StatusCode, text, status)
	}
	if err := json.Unmarshal(text, into); err != nil {
		s.t.Fatalf("%v in %s", err, text)
	}
}

func mintFor(t *testing.T, secret string, claims map[string]any) string {
	t.Helper()
	token, err := auth.Mint(secret, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// events reads server-sent events.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
}

func newEvents(t *testing.T, body io.Reader) *events {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<24)
	return &events{t, lines}
}

// next returns the next event; name is "" at the end, and ":" for a comment.
func (e *events) next() (name, data string) {
	for e.lines.Scan() {
		line := e.lines.Text()
		switch {
		case strings.HasPrefix(line, ":"):
			return ":", line
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		case name != "":
			return name, data
		}
	}
	return "", ""
}

// await reads events until one has the name.
func (e *events) await(name string, into any) {
	e.t.Helper()
	for {
		got, data := e.next()
		if got == "" {
			e.t.Fatalf("the stream ended before %q", name)
		}
		if got == name {
			if err := json.Unmarshal([]byte(data), into); err != nil {
				e.t.Fatalf("%v in %s", err, data)
			}
			return
		}
	}
}

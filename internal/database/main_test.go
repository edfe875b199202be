package database

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postmastertest.With(m)) }

// A server is what the stubs of all databases share.
type server struct {
	mu      sync.Mutex
	opened  []*stub
	openErr error

	prepare func(ctx context.Context) (postgres.Report, error)
	answer  func(ctx context.Context, k kind, a postgres.Asker, presence bool) (postgres.Permission, error)
	replay  func(ctx context.Context, limit int) ([]postgres.Stored, error)
	tend    func(ctx context.Context, host string) error
}

// A stub is a database without a database.
type stub struct {
	*server
	settings       tutti.Database
	prepared       int
	asks           []postgres.Asker
	running, most  int
	partitioned    int
	retention      time.Duration
	closed, misuse bool
}

func (s *server) open(settings tutti.Database) (database, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.openErr != nil {
		return nil, s.openErr
	}
	db := &stub{server: s, settings: settings}
	s.opened = append(s.opened, db)
	return db, nil
}

// databases returns what is to be said now of those that were opened so far.
func (s *server) databases() (all []stub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, db := range s.opened {
		all = append(all, *db)
	}
	return all
}

// of returns the databases of one host.
func (s *server) of(host string) (all []stub) {
	for _, db := range s.databases() {
		if db.settings.Host == host {
			all = append(all, db)
		}
	}
	return all
}

// enter counts who uses the database.
func (db *stub) enter() (leave func()) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.misuse = db.misuse || db.closed
	db.running++
	db.most = max(db.most, db.running)
	return func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		db.running--
	}
}

func (db *stub) ask(ctx context.Context, k kind, a postgres.Asker, presence bool) (postgres.Permission, error) {
	defer db.enter()()
	db.mu.Lock()
	db.asks = append(db.asks, a)
	db.mu.Unlock()
	if db.answer == nil {
		return postgres.Permission{Broadcast: true}, nil
	}
	return db.answer(ctx, k, a, presence)
}

func (db *stub) MayRead(ctx context.Context, a postgres.Asker, presence bool) (postgres.Permission, error) {
	return db.ask(ctx, read, a, presence)
}

func (db *stub) MayWrite(ctx context.Context, a postgres.Asker, presence bool) (postgres.Permission, error) {
	return db.ask(ctx, write, a, presence)
}

func (db *stub) Replay(ctx context.Context, _ string, _ time.Time, limit int) ([]postgres.Stored, error) {
	defer db.enter()()
	if db.replay == nil {
		return make([]postgres.Stored, limit), nil
	}
	return db.replay(ctx, limit)
}

func (db *stub) Prepare(ctx context.Context) (postgres.Report, error) {
	defer db.enter()()
	db.mu.Lock()
	db.prepared++
	db.mu.Unlock()
	if db.prepare == nil {
		return postgres.Report{}, nil
	}
	return db.prepare(ctx)
}

func (db *stub) Partition(ctx context.Context, _ time.Time) (int, error) {
	defer db.enter()()
	db.mu.Lock()
	db.partitioned++
	db.mu.Unlock()
	if db.tend == nil {
		return 0, nil
	}
	return 0, db.tend(ctx, db.settings.Host)
}

func (db *stub) Expire(_ context.Context, _ time.Time, retention time.Duration) ([]string, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.retention = retention
	return nil, nil
}

func (db *stub) Close() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.misuse = db.misuse || db.closed || db.running > 0
	db.closed = true
}

// A mailbox is an event loop that calls what it is given when it is told to.
type mailbox struct {
	mu      sync.Mutex
	tasks   []func()
	stopped bool
}

func (m *mailbox) Post(_, _ int, f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		return false
	}
	m.tasks = append(m.tasks, f)
	return true
}

// turn calls what came, everything twice as after a panic.
func (m *mailbox) turn() {
	m.mu.Lock()
	tasks := m.tasks
	m.tasks = nil
	m.mu.Unlock()
	for _, f := range tasks {
		f()
		f()
	}
}

// A bench is Databases under test, in virtual time.
type bench struct {
	t *testing.T
	*Databases
	server *server
	loop   *mailbox
	log    *record
	stop   func() // ends Run, and waits for it
}

// record is a log that can be read.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// count returns how many lines of the log have a text.
func (r *record) count(part string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), part)
}

// try runs a test in virtual time, while Databases run.
func try(t *testing.T, s *server, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, s)
		b.run()
		defer b.stop()
		f(b)
	})
}

func newBench(t *testing.T, s *server) *bench {
	b := &bench{t: t, server: s, loop: &mailbox{}, log: &record{}}
	b.Databases = &Databases{Loops: []Loop{b.loop}, Log: slog.New(slog.NewTextHandler(b.log, nil)), open: s.open}
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	synctest.Wait()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			b.t.Errorf("Run ended with %v", err)
		}
		for i, db := range b.server.databases() {
			if !db.closed || db.misuse || db.most > max(db.settings.Pool, 1) {
				b.t.Errorf("database %d: closed %v, misused %v, used by %d at once", i, db.closed, db.misuse, db.most)
			}
		}
	})
}

// turn waits until nothing moves without time, and lets the loop work.
func (b *bench) turn() {
	synctest.Wait()
	b.loop.turn()
}

// A reply is what became of a question.
type reply struct {
	permission postgres.Permission
	stored     []postgres.Stored
	err        error
	times      int // it was answered
	after      time.Duration
}

func (b *bench) read(q Question) *reply {
	r, asked := &reply{}, time.Now()
	b.MayRead(q, 0, func(p postgres.Permission, err error) {
		r.permission, r.err, r.after = p, err, time.Since(asked)
		r.times++
	})
	if r.times > 0 {
		b.t.Error("answered in the caller's stack")
	}
	return r
}

func (r *reply) is(t *testing.T, want string) {
	t.Helper()
	switch {
	case r.times != 1:
		t.Errorf("answered %d times, want once: %s", r.times, want)
	case want == "" && r.err != nil, want != "" && (r.err == nil || told(r.err) != want):
		t.Errorf("answer %q, want %q", told(r.err), want)
	}
}

// told is what a client is told.
func told(err error) string {
	if e, ok := errors.AsType[*tutti.Error](err); ok {
		return e.Error()
	}
	if err != nil {
		return "not for clients: " + err.Error()
	}
	return ""
}

const (
	poolText      = "IncreaseConnectionPool: Please increase your connection pool size"
	connectText   = "UnableToConnectToProject: Realtime was unable to connect to the project database"
	stoppingText  = "RealtimeRestarting: Realtime is restarting, please standby"
	goneText      = "TenantNotFound: Tenant with the given ID does not exist"
	beginningText = "InitializingProjectConnection: Connecting to the project database"
	replayText    = "UnableToReplayMessages: Realtime was unable to replay messages"
)

// customer returns a tenant whose settings are these, in pairs.
func customer(id string, settings ...any) *tutti.Tenant {
	all := map[string]any{"db_host": id, "db_name": "n", "db_user": "u", "db_password": "p"}
	for i := 0; i < len(settings); i += 2 {
		all[settings[i].(string)] = settings[i+1]
	}
	return &tutti.Tenant{ExternalID: id, Extensions: []tutti.TenantExtension{{Type: tenant.DatabaseExtension, Settings: all}}}
}

func about(t *tutti.Tenant, topic string) Question {
	return Question{Tenant: t, Topic: topic, Claims: tutti.Claims{Role: "anon", Raw: []byte(`{"role":"anon"}`)}}
}

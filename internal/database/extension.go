package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// extensionConnections is how many connections the extensions of a tenant may use
// at once, on a node. They are none of those that private channels need.
const extensionConnections = 4

// Extensions is the databases of tenants as extensions use them. Its methods may be
// called by any goroutine. It owns no goroutine but that of Run.
type Extensions struct {
	Log *slog.Logger

	mu    sync.Mutex // guards all below
	ended bool
	desks map[string]*workshop // by tenant
	open  sync.WaitGroup       // databases that are not closed
}

// A workshop is the database of one tenant. What is guarded by Extensions.mu says
// so.
type workshop struct {
	settings tutti.Database
	db       *postgres.Database
	users    int       // guarded
	dropped  bool      // guarded: it is closed when nobody uses it
	used     time.Time // guarded: when it was used last

	turn     chan struct{}       // holds one who prepares
	prepared map[string]*attempt // by extension; of who has the turn
}

// An attempt is how the migrations of an extension went.
type attempt struct {
	err   error
	pause time.Duration
	again time.Time
}

// Run closes what nobody uses, until ctx ends, and then all.
func (x *Extensions) Run(ctx context.Context) error {
	pulse := time.NewTicker(maxIdle / 5)
	defer pulse.Stop()
	for {
		select {
		case <-pulse.C:
			x.sweep(time.Now())
			continue
		case <-ctx.Done():
		}
		x.mu.Lock()
		x.ended = true
		for id := range x.desks {
			x.drop(id)
		}
		x.mu.Unlock()
		x.wait()
		return context.Cause(ctx)
	}
}

// wait returns when all databases are closed, or after a while: an extension that
// does not let go of a transaction holds up nothing else.
func (x *Extensions) wait() {
	all := make(chan struct{})
	go func() {
		x.open.Wait()
		close(all)
	}()
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	select {
	case <-all:
	case <-patience.C:
		x.Log.Warn("an extension does not let go of a database")
	}
}

func (x *Extensions) sweep(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, w := range x.desks {
		if w.users == 0 && now.Sub(w.used) > maxIdle {
			x.drop(id)
		}
	}
}

// drop forgets the database of a tenant, and closes it once nobody uses it. The lock
// is held.
func (x *Extensions) drop(id string) {
	w := x.desks[id]
	if w == nil {
		return
	}
	delete(x.desks, id)
	w.dropped = true
	if w.users == 0 {
		x.close(w)
	}
}

// close ends the connections, of which none is in use. The lock is held.
func (x *Extensions) close(w *workshop) {
	go func() { // awaited by wait
		defer x.open.Done()
		w.db.Close()
	}()
}

// TenantChanged is told of every change of a tenant; after is nil when it was
// deleted.
func (x *Extensions) TenantChanged(id string, after *tutti.Tenant) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := x.desks[id]
	if w == nil {
		return
	}
	if after != nil {
		if settings, found, err := tenant.Database(after); found && err == nil && place(settings) == w.place() {
			return
		}
	}
	x.drop(id)
}

func (w *workshop) place() tutti.Database { return place(w.settings) }

// take returns the database of a tenant, and what is to be called when it is not
// used any more.
func (x *Extensions) take(t *tutti.Tenant) (*workshop, func(), error) {
	if t == nil {
		return nil, nil, errTenantGone
	}
	settings, found, err := tenant.Database(t)
	if err != nil {
		return nil, nil, wrongSettings(err)
	}
	if !found {
		return nil, nil, errNoDatabase
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return nil, nil, errNotRunning
	}
	w := x.desks[t.ExternalID]
	if w != nil && w.place() != place(settings) {
		x.drop(t.ExternalID)
		w = nil
	}
	if w == nil {
		own := settings
		own.Pool = extensionConnections
		db, err := postgres.OpenDatabase(own)
		if err != nil {
			return nil, nil, wrongSettings(err)
		}
		w = &workshop{settings: settings, db: db, turn: make(chan struct{}, 1), prepared: map[string]*attempt{}}
		x.open.Add(1)
		if x.desks == nil {
			x.desks = map[string]*workshop{}
		}
		x.desks[t.ExternalID] = w
	}
	w.users++
	return w, func() { x.release(w) }, nil
}

func (x *Extensions) release(w *workshop) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w.users--
	w.used = time.Now()
	if w.dropped && w.users == 0 {
		x.close(w)
	}
}

// Of returns the database of a tenant, which is the one that it has whenever it is
// asked; nil when it has none now.
func (x *Extensions) Of(now func() *tutti.Tenant) tutti.ExtensionDatabase {
	t := now()
	if t == nil {
		return nil
	}
	if _, found, _ := tenant.Database(t); !found {
		return nil
	}
	return &loan{x, now}
}

// A loan is a tenant's database in the hands of an extension.
type loan struct {
	extensions *Extensions
	tenant     func() *tutti.Tenant
}

// As implements tutti.ExtensionDatabase.
func (l *loan) As(ctx context.Context, c *tutti.Claims, f func(tutti.Tx) error) error {
	w, done, err := l.extensions.take(l.tenant())
	if err != nil {
		return err
	}
	defer done()
	return w.db.As(ctx, c, f)
}

// Owner implements tutti.ExtensionDatabase.
func (l *loan) Owner(ctx context.Context, f func(tutti.Tx) error) error {
	w, done, err := l.extensions.take(l.tenant())
	if err != nil {
		return err
	}
	defer done()
	return w.db.Owner(ctx, f)
}

// Prepare runs the migrations of an extension, unless that was done. The error has
// a *tutti.Error in it and was logged. One that failed is tried again after a while,
// when somebody asks.
func (x *Extensions) Prepare(ctx context.Context, t *tutti.Tenant, e *tutti.Extension) error {
	w, done, err := x.take(t)
	if errors.Is(err, errNoDatabase) {
		return nil
	}
	if err != nil {
		return err
	}
	defer done()
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-w.turn }()
	a := w.prepared[e.Key]
	if a != nil && (a.err == nil || time.Now().Before(a.again)) {
		return a.err
	}
	if a == nil {
		a = &attempt{}
		w.prepared[e.Key] = a
	}
	a.err = x.migrate(ctx, w, t.ExternalID, e)
	a.pause = min(max(2*a.pause, prepareAgain), prepareAgainDefect)
	a.again = time.Now().Add(a.pause)
	if ctx.Err() != nil {
		delete(w.prepared, e.Key) // nobody knows
	}
	return a.err
}

func (x *Extensions) migrate(ctx context.Context, w *workshop, tenantID string, e *tutti.Extension) error {
	migrations, err := readMigrations(e.Migrations)
	var ran []string
	if err == nil {
		ran, err = w.db.MigrateExtension(ctx, e.Key, migrations)
	}
	log := x.Log.With("tenant", tenantID, "extension", e.Key)
	if len(ran) > 0 {
		log.Info("migrations of an extension have run", "made", ran)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	cure := "the database log and the error say what PostgreSQL did not like; it is tried again when a room is joined"
	if defect, ok := errors.AsType[*postgres.Defect](err); ok {
		cure = defect.Cure
	}
	log.Error("the migrations of an extension failed: its rooms are refused", "code", tutti.ExtensionNotPrepared, "err", err, "cure", cure)
	return &tutti.Error{Code: tutti.ExtensionNotPrepared, Reason: fmt.Sprintf(
		"the project database could not be prepared for the extension %q; the log of the server says what to do", e.Key)}
}

// readMigrations returns the migrations of an extension in the order of their names.
func readMigrations(files fs.FS) ([]postgres.Migration, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var all []postgres.Migration
	for _, entry := range entries { // which are sorted
		if entry.IsDir() || path.Ext(entry.Name()) != ".sql" {
			continue
		}
		text, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		all = append(all, postgres.Migration{Name: entry.Name(), SQL: string(text)})
	}
	return all, nil
}

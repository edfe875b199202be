package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/tenant"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// Management is what the tenants API needs (protocol §9.1 and §9.2): the routes
// below /api/tenants, for those who manage the server.
type Management struct {
	Registry tenant.Registry
	Defaults tenant.Defaults // limits of new tenants that name none

	Secrets   []string // API_JWT_SECRET and API_JWT_SECRET_NEXT; without any nobody is let in
	Blocklist []string // API_TOKEN_BLOCKLIST; may be nil

	// Sealer encrypts the settings of a database that are shown. Nil: they are
	// not shown.
	Sealer Sealer

	// Health says how a tenant is. Nil: healthy, without a database, and with the
	// sockets of this node.
	Health func(ctx context.Context, t *tutti.Tenant) Health

	// Reload stops what works for a tenant and disconnects its clients, Shutdown
	// stops its database connection. Nil: there is nothing to stop.
	Reload, Shutdown func(ctx context.Context, id string) error

	// Disconnect disconnects clients of a tenant and returns how many. Nil: it
	// cannot be done.
	Disconnect func(ctx context.Context, id string, who Who) (int, error)
	// Reauthorize has the policies of private channels asked again, and returns
	// about how many channels. Nil: it cannot be done.
	Reauthorize func(ctx context.Context, id string, who Who) (int, error)

	// Audit is told who changed what. No line of it may be left out, so that it need
	// not be the log of all else. Nil: it is.
	Audit *slog.Logger
}

// A Sealer encrypts what only the server itself may read.
type Sealer interface {
	Seal(text string) (string, error)
}

// Health is how a tenant is.
type Health struct {
	Healthy              bool   `json:"healthy"` // false while a database that is needed is not there
	DBConnected          bool   `json:"db_connected"`
	ReplicationConnected bool   `json:"replication_connected"`
	ConnectedCluster     int    `json:"connected_cluster"` // sockets with a channel, on all nodes
	Region               string `json:"region"`
	Node                 string `json:"node"`
}

// storePatience is how long a request waits for the store of the tenants.
const storePatience = 10 * time.Second

var (
	errNotFound  = &Refusal{http.StatusNotFound, "not found"}
	errStoreDown = &Refusal{http.StatusServiceUnavailable, "The store of the tenants gives no answer, please try again"}
	errNotJSON   = &Refusal{http.StatusUnsupportedMediaType, "Unsupported Media Type. Use application/json"}
	errCannot    = &Refusal{http.StatusNotImplemented, "This server cannot do that to single clients"}
)

// A registrar serves the tenants API.
type registrar struct {
	*API
	*Management

	// turn holds one who changes a tenant: fields are put over what is there, so
	// two at once would undo each other. Other nodes are the store's affair.
	turn chan struct{}
}

// A visit is a request by somebody who may manage tenants.
type visit struct {
	*http.Request
	requestID string
	who       string // whose token it is, as far as it says
}

// A managed handler answers a visit, or returns an error that API.fail words.
type managed func(w http.ResponseWriter, v *visit) error

// open lets those in who show a token of the management's own secrets. Others
// are told nothing, not even why.
func (g *registrar) open(serve managed) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := trace.Request(r.Context())
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("Cache-Control", "no-store")
		token, ok := g.API.service(w, r, g.Management.service(g.Verifier.Validators))
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), storePatience)
		defer cancel()
		v := &visit{Request: r.WithContext(ctx), requestID: id, who: auth.Holder(token)}
		if err := serve(w, v); err != nil {
			g.fail(w, r, refusalOf(err))
		}
	}
}

// refusalOf words the errors of a tenants' store.
func refusalOf(err error) error {
	var invalid tenant.Invalid
	var conflict *tenant.Conflict
	switch {
	case errors.As(err, &invalid):
		return faults(invalid)
	case errors.As(err, &conflict):
		return &Refusal{http.StatusConflict, conflict.Reason}
	case errors.Is(err, tutti.ErrNoTenant):
		return errNotFound
	case errors.Is(err, tutti.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return &storeError{err}
	}
	return err
}

// A storeError is errStoreDown to the caller, and says why in the log.
type storeError struct{ cause error }

func (s *storeError) Error() string   { return s.cause.Error() }
func (s *storeError) Unwrap() []error { return []error{errStoreDown, s.cause} }

// tenant finds the tenant that the path of a request names.
func (g *registrar) tenant(v *visit) (*tutti.Tenant, error) {
	id := v.PathValue("id")
	if !storable(id) {
		return nil, errNotFound
	}
	t, err := g.Registry.Find(v.Context(), id)
	if err != nil {
		return nil, fmt.Errorf("find tenant %q: %w", id, err)
	}
	return t, nil
}

// storable reports whether a text is one that every store can be asked for.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// lock waits for the turn to change tenants.
func (g *registrar) lock(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *registrar) unlock() { <-g.turn }

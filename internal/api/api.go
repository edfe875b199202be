// Package api knows the HTTP routes of the server: what they read, in which
// order they check it, and what they answer. It also says which path is a
// WebSocket, a page or nothing. internal/app builds it and serves its Handler.
// It owns no goroutine and no state.
//
// Specification: https://supabase.com/docs/guides/realtime/broadcast, and the
// protocol reference, sections 1.1, 5.4 and 9.
package api

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/extend"
	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// API is the HTTP interface of a node. All fields are needed unless theirs says
// otherwise, and none is changed once Handler has been called.
type API struct {
	Tenants  *tenant.Directory
	Verifier *auth.Verifier
	Meters   *limit.Meters
	Door     *broadcast.Door
	Gate     *gate.Gate // nil: anybody may ask, as often as they like

	Policies Policies // nil: nobody may write to a private topic

	// Socket takes the WebSocket paths with any method; it does its own checks.
	Socket http.Handler

	// Pages are the browser pages: index.html and status.html at the root, and
	// below assets/ files whose names change with their content. Nil when they were not built.
	Pages fs.FS

	// Metrics answers /metrics and /metrics/{region}, whose region is the
	// request's path value. With ?scope=node they are the node's alone. Nil: there
	// is no such path.
	Metrics          http.Handler
	MetricsSecrets   []string // METRICS_JWT_SECRET and METRICS_JWT_SECRET_NEXT; without any nobody is let in
	MetricsBlocklist []string // METRICS_TOKEN_BLOCKLIST; may be nil

	Management *Management // nil: there are no /api/tenants

	Admin http.Handler // the paths below /admin/api/; nil: there are none

	Extensions *extend.Host // nil: there are no /api/extensions

	Status func() Status // the numbers for /status

	// Ready says why new clients should go to another node, such as "draining",
	// in words that anybody may read; nil when they may come. It may be nil
	// itself: then they always may.
	Ready func() error

	// Alive returns when the process has shown that it does its work, or why only a
	// new start helps. It may be nil: then who answers lives.
	Alive func(context.Context) error

	// Full says that the node takes no more broadcasts for now. It may be nil.
	Full func() bool

	// BaggageKey is the entry of the baggage header that may name a request,
	// REQUEST_ID_BAGGAGE_KEY. "" means no entry may.
	BaggageKey string

	Log *slog.Logger
}

// gateway is the prefix under which the gateways of hosted and self-hosted
// stacks publish this server. Clients that reach it without one use it too.
const gateway = "/realtime/v1"

// socketPath is where the WebSocket is without a gateway.
const socketPath = "/socket/websocket"

// Handler returns all routes.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(socketPath, a.Socket)
	mux.Handle(gateway+"/websocket", a.Socket)
	for _, r := range a.routes() {
		mux.Handle(r.method+" "+r.path, r.serve)
		if r.gateway {
			mux.Handle(r.method+" "+gateway+r.path, r.serve)
		}
	}
	if a.Admin != nil {
		mux.Handle("/admin/api/", a.Admin)
	}
	// Without a method, so that a path called with the wrong one is not found,
	// as in the reference, instead of "not allowed".
	mux.HandleFunc("/", a.page)
	return a.guard(mux)
}

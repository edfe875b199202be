// Package gate knows how much the server does for those who have not shown yet
// who they are: which pages of other sites may call it, whose word on a client's
// address is taken, how many connections may wait at the door, how often an
// address may show bad tokens, how many tokens are verified at once, and how much
// of a body is read before its sender is known. It also knows the headers that
// pages and data are sent with.
//
// internal/socket and internal/api ask it, internal/app builds it. It owns no
// goroutine. A nil Gate lets everybody in.
package gate

import (
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
)

// Settings is what an operator may choose. A limit of 0 is none.
type Settings struct {
	Origins   Origins        // pages that may call the server; the zero value is any
	Proxies   []netip.Prefix // whose X-Forwarded-For is believed
	Uncounted []netip.Prefix // addresses behind which there may be many, whom nobody tells apart

	Pending           int   // connections at once that are no WebSocket (yet)
	PendingPerAddress int   // of one address
	BadTokens         int   // that one address may show in a minute
	Verifications     int   // tokens whose signatures are checked at once; 0 is half of the cores
	Waiting           int   // requests that may wait for that
	BodyBytes         int64 // of all bodies of requests that are held at once
}

// Gate is the door of a node.
type Gate struct {
	Settings Settings
	Metrics  *Metrics
	Log      *slog.Logger

	failures Failures
	arrivals arrivals
	desks    chan struct{} // holds one for each token that is being verified
	waiting  atomic.Int64  // requests that want a desk
	held     atomic.Int64  // bytes of bodies
	hinted   atomic.Bool   // it was said that a proxy is not trusted
}

// New returns a gate with these settings.
func New(s Settings, m *Metrics, log *slog.Logger) *Gate {
	desks := s.Verifications
	if desks <= 0 {
		desks = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return &Gate{
		Settings: s, Metrics: m, Log: log,
		failures: Failures{Most: s.BadTokens, Per: time.Minute},
		desks:    make(chan struct{}, desks),
	}
}

// A Refusal is what somebody is told who is not let in.
type Refusal struct {
	Status int // of HTTP
	Code   string
	Cause  string
	Cure   string        // may be ""
	After  time.Duration // when to come again; 0 is never
}

// Error returns the code and the cause.
func (r *Refusal) Error() string { return r.Code + ": " + r.Cause }

// Codes of refusals.
const (
	OriginNotAllowed = "OriginNotAllowed"
	TooManyBadTokens = "TooManyBadTokens"
	ServerOverloaded = "ServerOverloaded"
	ServerFull       = "ServerFull"
)

var (
	errOrigin = &Refusal{
		Status: http.StatusForbidden, Code: OriginNotAllowed,
		Cause: "Pages of this origin may not use this server",
		Cure:  "add the origin to ALLOWED_ORIGINS, or to the tenant's extension \"origins\"",
	}
	errOverloaded = &Refusal{
		Status: http.StatusServiceUnavailable, Code: ServerOverloaded,
		Cause: "The server is overloaded, please try again", After: time.Second,
	}
)

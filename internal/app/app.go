// Package app builds the rooms of a server, runs them and stops them. It is the
// only room that knows them all, and the switchboard for what one has to tell
// another. cmd/tutti calls it.
package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/admin"
	"github.com/tutti-realtime/tutti/internal/api"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/extend"
	"github.com/tutti-realtime/tutti/internal/feed"
	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/presence"
	"github.com/tutti-realtime/tutti/internal/relay"
	"github.com/tutti-realtime/tutti/internal/secret"
	"github.com/tutti-realtime/tutti/internal/socket"
	"github.com/tutti-realtime/tutti/internal/tenant"
	"github.com/tutti-realtime/tutti/internal/trace"
	"github.com/tutti-realtime/tutti/web"
)

// An App is one node.
type App struct {
	config  Config
	log     *slog.Logger
	repeats *repeats      // what the log has said
	tracer  *trace.Tracer // nil: nothing is traced
	began   time.Time
	ready   chan struct{} // closed once tenants can be told

	registry tenant.Registry   // where tenants live
	file     *tenant.File      // the registry, when that is a file
	control  *postgres.Control // the registry, when that is a database
	cipher   *secret.Cipher    // of its secrets
	dev      *tutti.Tenant     // the ready-made tenant, where there is one
	bus      bus
	local    *cluster.Local // the bus of a node that is alone
	several  *cluster.Bus   // that of one that is not
	leaving  atomic.Bool    // the node stops

	gate       *gate.Gate
	credential *credential // nil: somebody else ends TLS, or nobody

	directory  *tenant.Directory
	meters     *limit.Meters
	topics     *hub.Hub
	roster     *presence.Roster
	relay      *relay.Relay // nil for a node that is alone
	feeds      *feed.Feeds
	databases  *database.Databases
	clients    *channel.Service
	extensions *extend.Host
	workshops  *database.Extensions
	sockets    *socket.Server
	metrics    *metrics
	console    *admin.Console
	server     *http.Server
}

// New builds a node. It reads top to bottom: each room uses only what stands
// above it. It starts nothing.
func New(config Config, log *slog.Logger) (*App, error) {
	a := &App{config: config, log: log, began: time.Now(), ready: make(chan struct{})}
	audit := log
	log = a.sign(log)
	if err := a.openRegistry(); err != nil {
		return nil, err
	}
	if err := a.openBus(); err != nil {
		return nil, err
	}
	a.directory = &tenant.Directory{
		Store: a.registry, Default: a.defaultTenant(), Keep: time.Duration(config.Tuning.TenantCache), Log: log, Changed: a.tenantChanged,
	}
	a.meters = &limit.Meters{}
	verifier := &auth.Verifier{Validators: config.ClaimValidators}

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := a.openTracer(registry); err != nil {
		return nil, err
	}
	if err := a.openGate(registry); err != nil {
		return nil, err
	}
	a.sockets = &socket.Server{
		Settings: config.Tuning.socket(), Tenants: a.directory, Verifier: verifier, Meters: a.meters, Gate: a.gate, Log: log,
	}
	a.sockets.Settings.MaxOpen = config.Security.Connections
	a.sockets.Metrics = socket.NewMetrics(registry, a.sockets)
	loops, err := a.sockets.Loops()
	if err != nil {
		return nil, fmt.Errorf("make the event loops: %w", err)
	}
	a.topics = hub.New(loops)
	door := &broadcast.Door{Publisher: a.bus}
	a.roster = &presence.Roster{Epoch: uint64(a.began.UnixNano()), Deliver: a.topics.Deliver}
	a.feeds = &feed.Feeds{
		// Every node with clients of a tenant reads its stream, and so hands out itself
		// what the database sends.
		Door:   &broadcast.Door{Publisher: &cluster.Local{Arrive: a.topics.Deliver}},
		Meters: a.meters, Log: log, Trace: a.tracer, SlotSuffix: config.Rows.SlotSuffix, Idle: time.Duration(config.Rows.Idle),
	}
	a.databases = &database.Databases{Known: a.registry.List, Meters: a.meters, Log: log}
	for _, l := range loops {
		a.feeds.Loops = append(a.feeds.Loops, l)
		a.databases.Loops = append(a.databases.Loops, l)
	}
	a.clients = &channel.Service{
		Verifier: verifier, Door: door, Roster: a.roster, Rows: a.feeds, Policies: a.databases, Log: log,
		JoinBackoff:   time.Duration(config.Tuning.ChannelBackoff),
		PresenceCalls: config.Limits.PresenceCalls, PresenceWindow: time.Duration(config.Limits.PresenceWindow),
	}
	if err := a.hostExtensions(door, registry); err != nil {
		return nil, err
	}
	a.sockets.Seat(a.topics, a.clients)
	if err := a.connect(); err != nil {
		return nil, err
	}
	a.measure(registry)
	if err := a.openConsole(loops, audit); err != nil {
		return nil, err
	}
	routes := &api.API{
		Tenants: a.directory, Verifier: verifier, Meters: a.meters, Door: door, Socket: a.sockets, Gate: a.gate,
		Metrics:        a.metrics,
		MetricsSecrets: given(config.Metrics.Secret, config.Metrics.Next), MetricsBlocklist: config.Metrics.Blocklist,
		BaggageKey: config.RequestIDBaggage, Full: a.sockets.Full, Status: a.status, Ready: a.readiness, Alive: a.Alive, Log: log,
	}
	routes.Policies = &api.DatabasePolicies{Tenants: a.directory, Check: writeCheck{a.databases}}
	routes.Management = a.management()
	routes.Management.Audit = audit
	routes.Extensions = a.extensions
	routes.Admin = a.console.Handler()
	if web.Built() {
		routes.Pages = web.Files()
	}
	a.server = &http.Server{
		Handler:           a.tracer.Handler(routes.Handler()),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// A WebSocket takes the connection over, which HTTP/2 has no way to do.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	if err := a.protect(a.server); err != nil {
		return nil, err
	}
	if a.control == nil {
		close(a.ready)
	}
	return a, nil
}

// Ready is closed once the node knows its tenants: at once, or when it has found
// its control database and brought it up to date.
func (a *App) Ready() <-chan struct{} { return a.ready }

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
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/api"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/extend"
	"github.com/tutti-realtime/tutti/internal/feed"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/presence"
	"github.com/tutti-realtime/tutti/internal/relay"
	"github.com/tutti-realtime/tutti/internal/secret"
	"github.com/tutti-realtime/tutti/internal/socket"
	"github.com/tutti-realtime/tutti/internal/tenant"
	"github.com/tutti-realtime/tutti/web"
)

// An App is one node.
type App struct {
	config Config
	log    *slog.Logger
	began  time.Time
	ready  chan struct{} // closed once tenants can be told

	registry tenant.Registry   // where tenants live
	file     *tenant.File      // the registry, when that is a file
	control  *postgres.Control // the registry, when that is a database
	cipher   *secret.Cipher    // of its secrets
	dev      *tutti.Tenant     // the ready-made tenant, where there is one
	bus      bus
	local    *cluster.Local // the bus of a node that is alone
	several  *cluster.Bus   // that of one that is not
	leaving  atomic.Bool    // the node stops

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
	server     *http.Server
}

// New builds a node. It reads top to bottom: each room uses only what stands
// above it. It starts nothing.
func New(config Config, log *slog.Logger) (*App, error) {
	a := &App{config: config, log: log, began: time.Now(), ready: make(chan struct{})}
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
	a.sockets = &socket.Server{
		Settings: config.Tuning.socket(), Tenants: a.directory, Verifier: verifier, Meters: a.meters, Log: log,
	}
	a.sockets.Metrics = socket.NewMetrics(registry, a.sockets.Open)
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
		Meters: a.meters, Log: log, SlotSuffix: config.Rows.SlotSuffix, Idle: time.Duration(config.Rows.Idle),
	}
	a.databases = &database.Databases{Known: a.registry.List, Log: log}
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
	routes := &api.API{
		Tenants: a.directory, Verifier: verifier, Meters: a.meters, Door: door, Socket: a.sockets,
		Metrics:       promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		MetricsSecret: config.Metrics.Secret, MetricsBlocklist: config.Metrics.Blocklist,
		BaggageKey: config.RequestIDBaggage, Full: a.sockets.Full, Status: a.status, Ready: a.readiness, Log: log,
	}
	routes.Policies = &api.DatabasePolicies{Tenants: a.directory, Check: writeCheck{a.databases}}
	routes.Management = a.management()
	routes.Extensions = a.extensions
	if web.Built() {
		routes.Pages = web.Files()
	}
	a.server = &http.Server{
		Handler:           routes.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// A WebSocket takes the connection over, which HTTP/2 has no way to do.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	if a.control == nil {
		close(a.ready)
	}
	return a, nil
}

// Ready is closed once the node knows its tenants: at once, or when it has found
// its control database and brought it up to date.
func (a *App) Ready() <-chan struct{} { return a.ready }

// Package app builds the rooms of a server, runs them and stops them. It is the
// only room that knows them all, and the switchboard for what one has to tell
// another. cmd/tutti calls it.
package app

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"log/slog"

	"net/http"
	"os"

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
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/presence"
	"github.com/tutti-realtime/tutti/internal/socket"
	"github.com/tutti-realtime/tutti/internal/tenant"
	"github.com/tutti-realtime/tutti/web"
)

// An App is one node.
type App struct {
	config Config
	log    *slog.Logger
	began  time.Time

	file      *tenant.File // nil when the tenant is the ready-made one
	dev       *tutti.Tenant
	directory *tenant.Directory
	meters    *limit.Meters
	topics    *hub.Hub
	roster    *presence.Roster
	clients   *channel.Service
	sockets   *socket.Server
	server    *http.Server
}

// New builds a node. It reads top to bottom: each room uses only what stands
// above it. It starts nothing.
func New(config Config, log *slog.Logger) (*App, error) {
	a := &App{config: config, log: log, began: time.Now()}
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	a.directory = &tenant.Directory{
		Store: store, Default: a.defaultTenant(), Keep: time.Duration(config.Tuning.TenantCache), Log: log, Changed: a.tenantChanged,
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
	bus := &cluster.Local{Arrive: a.topics.Deliver}
	door := &broadcast.Door{Publisher: bus}
	a.roster = &presence.Roster{Epoch: uint64(a.began.UnixNano()), Deliver: bus.Publish}
	a.clients = &channel.Service{
		Verifier: verifier, Door: door, Roster: a.roster, Log: log,
		JoinBackoff:   time.Duration(config.Tuning.ChannelBackoff),
		PresenceCalls: config.Limits.PresenceCalls, PresenceWindow: time.Duration(config.Limits.PresenceWindow),
	}
	a.sockets.Seat(a.topics, a.clients)
	routes := &api.API{
		Tenants: a.directory, Verifier: verifier, Meters: a.meters, Door: door, Socket: a.sockets,
		Metrics:       promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		MetricsSecret: config.Metrics.Secret, MetricsBlocklist: config.Metrics.Blocklist,
		BaggageKey: config.RequestIDBaggage, Full: a.sockets.Full, Status: a.status, Log: log,
	}
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
	return a, nil
}

// store returns the place where tenants live: a file, or the ready-made tenant.
func (a *App) store() (tenant.Store, error) {
	c := &a.config
	if c.Tenants != "" {
		file, err := tenant.OpenFile(c.Tenants, os.Getenv, c.Limits.defaults())
		if err != nil {
			return nil, fmt.Errorf("read the tenants: %w", err)
		}
		a.file = file
		return file, nil
	}
	a.dev = c.Limits.defaults().Tenant(c.DevTenant)
	a.dev.JWTSecret, a.dev.JWTJWKS = c.DevSecret, []byte(c.DevJWKS)
	if a.dev.JWTSecret == "" {
		a.dev.JWTSecret = newSecret()
	}
	return tenant.Fixed{a.dev}, nil
}

// defaultTenant is the tenant of hosts that name none. The ready-made one is,
// unless another was chosen.
func (a *App) defaultTenant() string {
	if a.config.DefaultTenant == "" && a.dev != nil {
		return a.dev.ExternalID
	}
	return a.config.DefaultTenant
}

// tenantChanged passes on that a tenant is not as it was.
func (a *App) tenantChanged(id string, before, after *tutti.Tenant) {
	if tenant.Disconnects(before, after) {
		a.log.Info("tenant changed, its clients are disconnected", "tenant", id)
		a.sockets.Dismiss(id)
	}
}

// Keys returns tokens for the ready-made tenant, good for ten years: one for
// browsers and one for servers. There are none when tenants come from elsewhere.
func (a *App) Keys() (anon, service string, err error) {
	if a.dev == nil {
		return "", "", nil
	}
	if anon, err = a.mint("anon"); err != nil {
		return "", "", err
	}
	service, err = a.mint("service_role")
	return anon, service, err
}

func (a *App) mint(role string) (string, error) {
	token, err := auth.Mint(a.dev.JWTSecret, map[string]any{
		"role": role, "iss": "tutti", "iat": a.began.Unix(), "exp": a.began.AddDate(10, 0, 0).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("mint a key for %s: %w", role, err)
	}
	return token, nil
}

// Tenant returns the id of the ready-made tenant, "" when there is none.
func (a *App) Tenant() string {
	if a.dev == nil {
		return ""
	}
	return a.dev.ExternalID
}

// newSecret returns 256 random bits in hexadecimal.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

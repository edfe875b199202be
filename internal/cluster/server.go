package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// engineStart is how long the embedded server may take to open its port.
const (
	engineStart = 10 * time.Second
	engineLook  = 100 * time.Millisecond // how often it is asked
)

// An engine is the NATS server in this process.
type engine struct {
	server   *server.Server
	options  *server.Options
	password string
	settings *Settings

	mu     sync.Mutex // guards routes
	routes map[string]time.Time
}

// newEngine makes the server of a node. Its only client is this node, through
// a pipe: the port for clients that the server insists on is on the loopback,
// and whoever comes in there is refused.
func newEngine(s *Settings, epoch uint64, log *slog.Logger) (*engine, error) {
	host, port, _ := net.SplitHostPort(s.Listen) // normal has looked
	number, _ := strconv.Atoi(port)
	e := &engine{settings: s, password: rand.Text(), routes: map[string]time.Time{}}
	e.options = &server.Options{
		ServerName: s.Node + "-" + strconv.FormatUint(epoch, 36),
		Host:       "127.0.0.1", Port: server.RANDOM_PORT,
		Users: []*server.User{{
			Username: "node", Password: e.password,
			AllowedConnectionTypes: map[string]struct{}{"IN_PROCESS": {}},
		}},
		Cluster: server.ClusterOpts{
			Name: s.Name, Host: host, Port: or(number, server.RANDOM_PORT), Advertise: s.Advertise,
			Username: s.User, Password: s.Password, TLSConfig: routeTLS(s.TLS), TLSTimeout: 5,
			// One account uses one route of a pool.
			PoolSize: 1,
			// A peer whose machine is gone without a word is let go after three.
			PingInterval: s.Lost, MaxPingsOut: 2, WriteDeadline: 2 * s.Lost,
		},
		MaxPayload: int32(s.MaxMessage) + 1024,
		MaxPending: int64(max(s.Outgoing, 4*s.MaxMessage)),
		// A node that cannot follow loses messages; it does not slow the others.
		NoFastProducerStall: true,
		NoSigs:              true,
		MaxTracedMsgLen:     1,
	}
	var err error
	if e.server, err = server.NewServer(e.options); err != nil {
		return nil, fmt.Errorf("make the NATS server: %w", err)
	}
	said := &engineLog{log: log}
	e.server.SetLoggerV2(said, false, false, false)
	e.server.Start()
	for deadline := time.Now().Add(engineStart); !e.server.ReadyForConnections(engineLook); {
		if said.failed() || time.Now().After(deadline) {
			e.stop()
			return nil, fmt.Errorf("start the NATS server: %w", said.failure())
		}
	}
	return e, nil
}

func routeTLS(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	config = config.Clone()
	if config.ClientAuth == tls.NoClientCert && config.ClientCAs != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config
}

// stop returns when all goroutines of the server have ended.
func (e *engine) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// client returns what the node connects to it with.
func (e *engine) client() []nats.Option {
	return []nats.Option{nats.InProcessServer(e.server), nats.UserInfo("node", e.password)}
}

// Address is where other nodes come in, once it is known.
func (e *engine) address() string {
	if a := e.server.ClusterAddr(); a != nil {
		return a.String()
	}
	return ""
}

// forgetRoute is how long an address is tried that discovery no longer names:
// a node that is not ready for clients is not gone.
const forgetRoute = 10 * time.Minute

// connect makes routes to these addresses of nodes, host:port. One is enough to
// find the others. The node's own is no fault.
func (e *engine) connect(addresses []string, now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	changed := false
	for _, a := range addresses {
		if host, _, err := net.SplitHostPort(a); err != nil {
			return fmt.Errorf("address %q of a node: %w", a, err)
		} else if e.settings.TLS == nil && !e.settings.Plain && !loopback(host) {
			return fmt.Errorf("address %q of a node: another machine needs TLS, or a network that is said to be private", a)
		}
		if _, known := e.routes[a]; !known {
			changed = true
		}
		e.routes[a] = now
	}
	for a, named := range e.routes {
		if now.Sub(named) > forgetRoute {
			delete(e.routes, a)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	options := e.options.Clone()
	options.Routes = nil
	for a := range e.routes {
		u := &url.URL{Scheme: "nats-route", Host: a}
		if e.settings.User != "" {
			u.User = url.UserPassword(e.settings.User, e.settings.Password)
		}
		options.Routes = append(options.Routes, u)
	}
	if err := e.server.ReloadOptions(options); err != nil {
		return fmt.Errorf("change the routes to other nodes: %w", err)
	}
	return nil
}

// discover asks now and then where other nodes are.
func (b *Bus) discover(ctx context.Context) {
	if b.engine == nil || b.Peers == nil {
		return
	}
	every := time.NewTicker(b.settings.Lost)
	defer every.Stop()
	for {
		addresses, err := b.Peers(ctx)
		if err == nil {
			err = b.engine.connect(addresses, time.Now())
		}
		if err != nil && ctx.Err() == nil {
			b.log.Warn("other nodes could not be looked up", "err", err)
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// Static returns a Bus.Peers that always says the same.
func Static(addresses ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return addresses, nil }
}

// DNS returns a Bus.Peers that looks a name up, which has an address (A, AAAA)
// for each node. All nodes use the same port. Certificates must name the host
// in tls.Config.ServerName then, as addresses come and go.
func DNS(host string, port int) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		found, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", host, err)
		}
		for i := range found {
			found[i] = net.JoinHostPort(found[i], strconv.Itoa(port))
		}
		return found, nil
	}
}

// An engineLog takes what the server has to say.
type engineLog struct {
	log *slog.Logger

	mu    sync.Mutex // guards fatal
	fatal string
}

// words is put together when somebody wants to read it.
type words struct {
	format string
	v      []any
}

// String implements fmt.Stringer.
func (w words) String() string { return fmt.Sprintf(w.format, w.v...) }

// LogValue implements slog.LogValuer: to JSON, v is nothing.
func (w words) LogValue() slog.Value { return slog.StringValue(w.String()) }

const engineSays = "nats"

func (l *engineLog) Noticef(format string, v ...any) {
	l.log.Debug(engineSays, "text", words{format, v})
}
func (l *engineLog) Debugf(format string, v ...any) {
	l.log.Debug(engineSays, "text", words{format, v})
}
func (l *engineLog) Tracef(format string, v ...any) {
	l.log.Debug(engineSays, "text", words{format, v})
}
func (l *engineLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Plaintext passwords") {
		return // the one is made up for this process, the other is what an operator gave
	}
	l.log.Info(engineSays, "text", words{format, v})
}

// Errorf also takes that a node is not there, each second: once in a minute is
// enough.
func (l *engineLog) Errorf(format string, v ...any) {
	if strings.HasPrefix(format, "Error trying to connect to route") {
		if attempt, ok := v[0].(int); ok && attempt%60 != 1 {
			return
		}
	}
	l.log.Warn(engineSays, "text", words{format, v})
}

// Fatalf does not end the process: the node that started the server is told.
func (l *engineLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = fmt.Sprintf(format, v...)
}

func (l *engineLog) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal != ""
}

func (l *engineLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.New(or(l.fatal, "its port did not open in time"))
}

//go:build linux

package chaos

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/account"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/yard"
)

const (
	secret = "a-secret-of-more-than-32-characters-for-chaos"
	room   = "realtime:room"
	// lost is CLUSTER_LOST_MS.
	lost = 1200 * time.Millisecond
	// patience is how long anything may take that has no promise of its own.
	patience = 30 * time.Second
)

// A plan is what is special about a stage.
type plan struct {
	yard     yard.Network   // nil: the best that there is
	programs [places]string // "" is today
	dsn      string         // of the database; "" makes one
	env      []string       // more variables for each node
	nats     string         // address of an external NATS; "" embeds it
	announce bool           // nodes find each other by the control database
	alone    bool           // only node a, and no cluster
	eager    bool           // believe nodes that say that they are ready, and wait for nothing else
}

// A stage is a cluster with a database and clients.
type stage struct {
	*testing.T
	yard   yard.Network
	dsn    string // "" without PostgreSQL
	http   *http.Client
	nodes  [len(trio)]*node
	owner  func(port int) (place, bool) // of a connection to PostgreSQL
	ledger *account.Rows
	writer *writer
	talk   *talk
	stall  atomic.Int64 // the longest that this machine did not let us run, in nanoseconds
	lossy  bool         // changes may be lost, when clients are told

	mu       sync.Mutex // guards sessions and guests
	sessions []*session // all that there ever were
	guests   int
}

// newStage starts a cluster, and waits until its nodes hear each other.
func newStage(t *testing.T, p plan) *stage {
	t.Helper()
	s := &stage{T: t, yard: p.yard, dsn: p.dsn, ledger: &account.Rows{}, talk: &talk{said: map[int64]word{}}}
	if s.yard == nil {
		s.yard = newYard(t)
	}
	t.Logf("network: %v", s.yard)
	beside(t, s.watchTime)
	if s.dsn == "" {
		s.dsn = newDatabase(t)
	}
	transport := &http.Transport{DialContext: s.yard.Dial, MaxIdleConnsPerHost: 4}
	s.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	s.writer = &writer{dsn: s.dsn, ledger: s.ledger, owners: []string{"", "", stranger, ""}}
	s.makeNodes(p)
	t.Cleanup(func() {
		for _, n := range s.nodes {
			if n != nil {
				n.end(t)
			}
		}
		if t.Failed() {
			for _, n := range s.nodes {
				if n != nil {
					n.show(t)
				}
			}
		}
	})
	for _, n := range s.nodes {
		if n != nil {
			n.start(t)
		}
	}
	if p.eager {
		s.await("all nodes say that they are ready", patience, s.ready)
	} else {
		s.await("the nodes are one cluster", patience, s.whole)
	}
	return s
}

// watchTime notes how much later than it should be something happens.
func (s *stage) watchTime(ctx context.Context) {
	const step = 5 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		s.stall.Store(max(s.stall.Load(), int64(now.Sub(last)-step)))
		last = now
	}
}

// stranger owns rows that nobody here may see.
const stranger = "99999999-0000-4000-8000-000000000000"

// makeNodes works out the environment of each node.
func (s *stage) makeNodes(p plan) {
	s.Helper()
	dir := s.TempDir()
	shared := append(s.shared(dir, p), p.env...)
	var listen, advertise [len(trio)]string
	for _, at := range trio {
		listen[at] = net.JoinHostPort(s.yard.Address(at), strconv.Itoa(freePort(s.T, s.yard, at, 6001)))
		var err error
		if advertise[at], err = s.yard.Advertise(s.Context(), at, listen[at]); err != nil {
			s.Fatal(err)
		}
		if advertise[at] == "" {
			advertise[at] = listen[at]
		}
	}
	for _, at := range trio {
		if p.alone && at != a {
			continue
		}
		n := &node{at: at, program: today, listen: listen[at], yard: s.yard, dir: dir, client: s.http}
		if p.programs[at] != "" {
			n.program = p.programs[at]
		}
		port := freePort(s.T, s.yard, at, 4000)
		n.http = net.JoinHostPort(s.yard.Address(at), strconv.Itoa(port))
		n.env = append(slices.Clone(shared),
			"PORT="+strconv.Itoa(port), "HOST="+s.yard.Address(at), "NODE_NAME="+at.String(), "REGION=test", "NODE_ADDRESS="+n.http)
		switch {
		case p.alone:
		case p.nats != "":
			n.env = append(n.env, "NATS_URL="+p.nats, "NATS_PRIVATE=true", "CLUSTER_PRIVATE=true")
		default:
			n.env = append(n.env, "CLUSTER_LISTEN="+listen[at], "CLUSTER_ADVERTISE="+advertise[at])
			if !p.announce {
				n.env = append(n.env, "CLUSTER_PEERS="+strings.Join(without(advertise[:], advertise[at]), ","))
			}
		}
		s.nodes[at] = n
	}
}

// shared returns the environment that all nodes have.
func (s *stage) shared(dir string, p plan) []string {
	s.Helper()
	const much = "1000000"
	env := []string{
		"LOG_FORMAT=json", "LOG_LEVEL=" + logLevel(), "API_JWT_SECRET=" + secret,
		"CHANNEL_ERROR_BACKOFF_MS=100", "CONNECT_ERROR_BACKOFF_MS=100", "SOCKET_IDLE_TIMEOUT_MS=600000",
		"TENANT_MAX_CONCURRENT_USERS=" + much, "TENANT_MAX_EVENTS_PER_SECOND=" + much, "TENANT_MAX_JOINS_PER_SECOND=" + much,
		"TENANT_MAX_PRESENCE_EVENTS_PER_SECOND=" + much, "CLIENT_PRESENCE_MAX_CALLS=" + much,
	}
	if !p.alone {
		env = append(env, fmt.Sprintf("CLUSTER_LOST_MS=%d", lost.Milliseconds()))
	}
	if s.yard.Secure() && p.nats == "" && !p.alone {
		env = append(env, certificates(s.T, dir, s.yard)...)
	}
	if s.dsn == "" {
		return env
	}
	d, err := url.Parse(s.dsn)
	if err != nil {
		s.Fatal(err)
	}
	addr, from, err := s.yard.Open(s.Context(), d.Host)
	if err != nil {
		s.Fatal(err)
	}
	s.owner = from
	host, port, _ := net.SplitHostPort(addr)
	password, _ := d.User.Password()
	return append(env, "DB_HOST="+host, "DB_PORT="+port, "DB_NAME="+d.Path[1:], "DB_USER="+d.User.Username(), "DB_PASSWORD="+password,
		"DB_ENC_KEY=0123456789abcdef", "SEED_SELF_HOST=true")
}

func logLevel() string {
	if level := os.Getenv("TUTTI_CHAOS_LOG"); level != "" {
		return level
	}
	return "info"
}

// ready reports whether all nodes say that they are.
func (s *stage) ready() bool {
	return !slices.ContainsFunc(s.nodes[:], func(n *node) bool {
		ready, _ := n.ready(s.Context())
		return !ready
	})
}

// whole reports whether all nodes run, are ready and hear each other.
func (s *stage) whole() bool {
	var all, want []string
	for _, n := range s.nodes {
		if n != nil {
			want = append(want, n.at.String())
		}
	}
	for _, n := range s.nodes {
		if n == nil {
			continue
		}
		if n.life == nil {
			return false
		}
		if ready, _ := n.ready(s.Context()); !ready || !n.greeted() {
			return false
		}
		if len(want) == 1 {
			return true
		}
		st, err := n.status(s.Context())
		if err != nil {
			return false
		}
		if all = st.hears(); !slices.Equal(all, want) {
			return false
		}
	}
	return true
}

// await waits until something is so, and returns when it was.
func (s *stage) await(what string, within time.Duration, is func() bool) time.Time {
	s.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		if time.Now().After(deadline) {
			s.Fatalf("after %v it is not so that %s", within, what)
		}
		for _, n := range s.nodes {
			if n != nil && n.life != nil {
				select {
				case <-n.life.Done:
					s.Fatalf("node %v has ended by itself: %v", n.at, n.life.Err)
				default:
				}
			}
		}
		select {
		case <-tick.C:
		case <-s.Context().Done():
			s.Fatal(s.Context().Err())
		}
	}
	return time.Now()
}

// reader returns the node whose connection reads the replication slot.
func (s *stage) reader(ctx context.Context) (place, bool) {
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return 0, false
	}
	defer conn.Close(ctx)
	var port int
	err = conn.QueryRow(ctx, `
		SELECT client_port FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
		WHERE s.database = current_database() AND s.slot_type = 'logical'`).Scan(&port)
	if err != nil {
		return 0, false
	}
	return s.owner(port)
}

// mustRead returns the node that reads the slot, waiting until there is one.
func (s *stage) mustRead() (p place) {
	s.Helper()
	s.await("a node reads the slot", patience, func() (ok bool) {
		p, ok = s.reader(s.Context())
		return ok
	})
	return p
}

// token returns one of a user; "" is a client without a subject.
func token(t *testing.T, role, sub string) string {
	t.Helper()
	claims := map[string]any{"role": role, "exp": time.Now().Add(time.Hour).Unix()}
	if sub != "" {
		claims["sub"] = sub
	}
	text, err := auth.Mint(secret, claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// freePort returns the port that a node of a yard listens on: the usual one when
// it has an address of its own, else one that nobody uses and that the kernel
// gives to no outgoing connection, so that it is free after a restart.
func freePort(t *testing.T, y yard.Network, at place, usual int) int {
	t.Helper()
	if y.Address(a) != y.Address(b) {
		return usual
	}
	for port := 20000 + 37*os.Getpid()%8000 + int(at); port < 32000; port++ {
		if _, taken := ports.LoadOrStore(port, at); taken {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// ports are those that were handed out.
var ports sync.Map

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/postmaster"
	"github.com/tutti-realtime/tutti/internal/yard"
)

const (
	ours   = "realtime-dev" // the tenant with the database
	theirs = "theirs"       // one that must hear nothing of it
	secret = "the-secret-of-everything-in-a-soak-run"

	// idle is the server's idle timeout, and ending how long it waits for the close
	// of a client that it hangs up on.
	idle   = 8 * time.Second
	ending = 5 * time.Second
	// lost is CLUSTER_LOST_MS.
	lost = 2 * time.Second
	// patience is how long anything may take that has no promise of its own.
	patience = 60 * time.Second
)

// A stage is a cluster with a database, and the books of what happens there.
type stage struct {
	options
	began    time.Time
	dir      string
	network  yard.Network
	server   *postmaster.Server
	dsn      string
	nodes    []*node
	http     *http.Client
	rows     *account.Rows // of the tables, and messages that SQL sends
	vault    *account.Rows // messages of the private channel
	words    *account.Words
	troubles *account.Troubles
	book     *book
	silent   atomic.Bool  // nobody sends broadcasts any more
	missed   int          // broadcasts, in trouble; set by audit
	speed    []speed      // set by audit
	ran      atomic.Int64 // how long this machine has let us run, in nanoseconds: time without stalls
	stall    atomic.Int64 // the longest that this machine did not let us run, in nanoseconds
}

func newStage(o options, b *book) *stage {
	return &stage{
		options: o, began: time.Now(), rows: &account.Rows{}, vault: &account.Rows{}, words: &account.Words{Margin: margin},
		troubles: &account.Troubles{}, book: b,
	}
}

// open starts a PostgreSQL and a cluster, and waits until its nodes hear each
// other. What has been started is closed by close, also after an error.
func (s *stage) open(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "tutti-soak-"); err != nil {
		return err
	}
	if s.proxies {
		s.network = yard.NewProxies()
	} else if y, why := yard.Best(); why != nil {
		s.network = y
		s.book.remark("no network namespaces (%v): nodes meet over proxies", why)
	} else {
		s.network = y
	}
	s.http = &http.Client{Transport: &http.Transport{DialContext: s.network.Dial}}
	if err := s.startDatabase(ctx); err != nil {
		return err
	}
	if err := s.makeNodes(ctx); err != nil {
		return err
	}
	for _, n := range s.nodes {
		if err := n.start(); err != nil {
			return err
		}
	}
	if err := s.await(ctx, "the nodes are one cluster", s.whole); err != nil {
		return err
	}
	return s.furnish(ctx)
}

// close ends all that the stage has started.
func (s *stage) close(ctx context.Context) (err error) {
	for _, n := range s.nodes {
		err = errors.Join(err, n.kill())
	}
	if s.server != nil {
		err = errors.Join(err, s.server.Stop(ctx))
	}
	if s.network != nil {
		err = errors.Join(err, s.network.Close())
	}
	if s.keep && s.dir != "" {
		fmt.Fprintln(os.Stderr, "soak: the logs of the nodes are in", s.dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// makeNodes works out the environment of each node.
func (s *stage) makeNodes(ctx context.Context) error {
	shared, err := s.environment(ctx)
	if err != nil {
		return err
	}
	metrics, err := auth.Mint(secret, map[string]any{"exp": time.Now().AddDate(1, 0, 0).Unix()})
	if err != nil {
		return err
	}
	var ports ports
	var meet []string
	for _, at := range yard.Trio[:s.options.nodes] {
		host := s.network.Address(at)
		n := &node{at: at, program: s.program, dir: s.dir, network: s.network, client: s.http, metrics: metrics}
		port, bus := ports.next(s.network, 4000), ports.next(s.network, 6001)
		n.http = net.JoinHostPort(host, strconv.Itoa(port))
		n.env = append(slices.Clone(shared), "PORT="+strconv.Itoa(port), "HOST="+host, "NODE_NAME="+at.String(), "NODE_ADDRESS="+n.http)
		if s.options.nodes > 1 {
			listen := net.JoinHostPort(host, strconv.Itoa(bus))
			there, err := s.network.Advertise(ctx, at, listen)
			if err != nil {
				return err
			}
			if there == "" {
				there = listen
			}
			meet = append(meet, there)
			n.env = append(n.env, "CLUSTER_PRIVATE=true", "CLUSTER_USER=soak", "CLUSTER_PASSWORD="+secret, "CLUSTER_LISTEN="+listen, "CLUSTER_ADVERTISE="+there, fmt.Sprintf("CLUSTER_LOST_MS=%d", lost.Milliseconds()))
		}
		s.nodes = append(s.nodes, n)
	}
	for i, n := range s.nodes {
		if s.options.nodes > 1 {
			n.env = append(n.env, "CLUSTER_PEERS="+strings.Join(slices.Delete(slices.Clone(meet), i, i+1), ","))
		}
	}
	return nil
}

// environment is what makes nodes bear what a soak does, and forget soon.
func (s *stage) environment(ctx context.Context) ([]string, error) {
	d, err := url.Parse(s.dsn)
	if err != nil {
		return nil, err
	}
	addr, _, err := s.network.Open(ctx, d.Host)
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(addr)
	password, _ := d.User.Password()
	const much = "1000000000"
	return []string{
		"LOG_FORMAT=json", "LOG_LEVEL=info", "REGION=soak", "API_JWT_SECRET=" + secret, "METRICS_JWT_SECRET=" + secret,
		"DB_HOST=" + host, "DB_PORT=" + port, "DB_NAME=" + d.Path[1:], "DB_USER=" + d.User.Username(), "DB_PASSWORD=" + password,
		"DB_ENC_KEY=0123456789abcdef", "SEED_SELF_HOST=true",
		`SELF_HOST_EXTENSIONS={"music":{"trust_join_role":true}}`,
		"TENANT_MAX_CONCURRENT_USERS=" + much, "TENANT_MAX_EVENTS_PER_SECOND=" + much, "TENANT_MAX_JOINS_PER_SECOND=" + much,
		"TENANT_MAX_CHANNELS_PER_CLIENT=" + much, "TENANT_MAX_PRESENCE_EVENTS_PER_SECOND=" + much, "CLIENT_PRESENCE_MAX_CALLS=" + much,
		"UNCOUNTED_ADDRESSES=127.0.0.0/8,10.77.0.0/24",
		"CHANNEL_ERROR_BACKOFF_MS=200", "CONNECT_ERROR_BACKOFF_MS=200", "CLIENT_QUEUE_AGE_MS=3000", "CLIENT_QUEUE_BYTES=1000000",
		fmt.Sprintf("SOCKET_IDLE_TIMEOUT_MS=%d", idle.Milliseconds()), "DRAIN_DELAY_MS=200", "DRAIN_SPREAD_MS=500", "SHUTDOWN_GRACE_MS=30000",
	}, nil
}

// ports are those that were handed out.
type ports []int

// next returns the port that a node listens on: the usual one when it has an
// address of its own, else one that nobody uses and that the kernel gives to no
// outgoing connection, so that it is free after a restart. It returns 0 when
// there is none.
func (p *ports) next(y yard.Network, usual int) int {
	if y.Address(yard.A) != y.Address(yard.B) {
		return usual
	}
	for port := 20000 + 37*os.Getpid()%8000; port < 32000; port++ {
		if slices.Contains(*p, port) {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			*p = append(*p, port)
			return port
		}
	}
	return 0
}

// whole reports whether all nodes run, are ready and hear each other.
func (s *stage) whole(ctx context.Context) bool {
	return !slices.ContainsFunc(s.nodes, func(n *node) bool { return !n.whole(ctx, len(s.nodes)) })
}

// await waits until something is so, at most as long as patience. A node that
// ends by itself meanwhile is an error.
func (s *stage) await(ctx context.Context, what string, is func(context.Context) bool) error {
	for began := s.ran.Load(); !is(ctx); {
		if time.Duration(s.ran.Load()-began) > patience {
			return fmt.Errorf("after %v it is not so that %s", patience, what)
		}
		for _, n := range s.nodes {
			if n.life == nil {
				continue
			}
			select {
			case <-n.life.Done:
				return errors.Join(fmt.Errorf("node %v has ended by itself: %w: %s", n.at, n.life.Err, n.last()), n.kill())
			default:
			}
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// mint returns a token of a tenant's user for some time; "" is a client without a
// subject.
func mint(role, sub string, lasts time.Duration) (string, error) {
	claims := map[string]any{"role": role, "exp": time.Now().Add(lasts).Unix()}
	if sub != "" {
		claims["sub"] = sub
	}
	return auth.Mint(secret, claims)
}

// calm reports whether nothing was wrong with a node since a moment. It waits a
// little, for a machine that stood still is noticed when it goes on.
func (s *stage) calm(ctx context.Context, since time.Time, at yard.Place) bool {
	return pause(ctx, 100*time.Millisecond) == nil && s.troubles.Calm(since, time.Now(), int(at))
}

// watchTime notes when this machine lets nobody run, which excuses what is late
// then, until ctx ends.
func (s *stage) watchTime(ctx context.Context) {
	const step, long = 20 * time.Millisecond, 500 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		stood := now.Sub(last) - step
		s.ran.Add(int64(min(now.Sub(last), 2*step)))
		s.stall.Store(max(s.stall.Load(), int64(stood)))
		if stood > long {
			s.troubles.Begin("the machine stood still", last, numbers(s.nodes)...)(now.Add(lost))
		}
		last = now
	}
}

// numbers returns the places of nodes, as books name them.
func numbers(all []*node) (places []int) {
	for _, n := range all {
		places = append(places, int(n.at))
	}
	return places
}

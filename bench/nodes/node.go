package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

const (
	secret  = "nodes-secret-of-at-least-32-characters"
	tenants = `tenants:
  - external_id: nodes
    jwt_secret: ` + secret + `
    max_concurrent_users: 2000000000
    max_events_per_second: 2000000000
    max_joins_per_second: 2000000000
    max_channels_per_client: 2000000000
`
)

// A node is one process of the server.
type node struct {
	cmd  *exec.Cmd
	port int
	url  string
}

// start starts nodes that know each other, or one that is alone when n is 1, and
// waits until all are ready and have met.
func (b *bench) start(ctx context.Context, n int) (all []*node, stop func() error, err error) {
	stop = func() error {
		for _, one := range all {
			_ = one.cmd.Process.Signal(syscall.SIGTERM)
		}
		var errs []error
		for _, one := range all {
			killer := time.AfterFunc(20*time.Second, func() { _ = one.cmd.Process.Kill() })
			errs = append(errs, one.cmd.Wait())
			killer.Stop()
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, stop())
		}
	}()
	file := filepath.Join(b.dir, "tenants.yaml")
	if err := os.WriteFile(file, []byte(tenants), 0o600); err != nil {
		return nil, stop, fmt.Errorf("write the tenants file: %w", err)
	}
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, stop, err
	}
	for i := range n {
		one := &node{port: ports[2*i], url: fmt.Sprintf("http://nodes.localhost:%d", ports[2*i])}
		one.cmd = exec.CommandContext(ctx, b.server, "serve", "--host", "127.0.0.1", "--port", strconv.Itoa(one.port),
			"--tenants", file, "--log-level", "error", "--drain-spread", "0")
		if n > 1 {
			one.cmd.Args = append(one.cmd.Args, "--node-name", fmt.Sprint("n", i),
				"--cluster-listen", fmt.Sprintf("127.0.0.1:%d", ports[2*i+1]), "--cluster-peers", fmt.Sprintf("127.0.0.1:%d", ports[1]))
		}
		one.cmd.Stderr = os.Stderr
		if err := one.cmd.Start(); err != nil {
			return all, stop, fmt.Errorf("start a node: %w", err)
		}
		all = append(all, one)
	}
	for _, one := range all {
		if err := one.meets(ctx, n); err != nil {
			return all, stop, err
		}
	}
	return all, stop, nil
}

// meets waits until a node is ready and sees so many nodes.
func (n *node) meets(ctx context.Context, count int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		s, err := n.status(ctx)
		if err == nil && s.Ready && (count == 1 || len(s.Cluster.Nodes) == count) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("node %s does not meet the others: %w", n.url, errors.Join(err, ctx.Err()))
		case <-again.C:
		}
	}
}

// A status is what is read of /status.
type status struct {
	Ready   bool
	Topics  int
	Cluster struct {
		Nodes []json.RawMessage
		Bus   struct{ Sent, Received, Missed, Unsent uint64 }
	}
}

func (n *node) status(ctx context.Context) (s status, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/status", n.port), nil)
	if err != nil {
		return s, err
	}
	request.Header.Set("Accept", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, err
	}
	defer func() { _ = answer.Body.Close() }()
	return s, json.NewDecoder(answer.Body).Decode(&s)
}

func key() (string, error) {
	return auth.Mint(secret, map[string]any{"role": "anon", "exp": time.Now().Add(24 * time.Hour).Unix()})
}

// freePorts returns ports that were free a moment ago.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// A usage is what a process has used.
type usage struct {
	cpu time.Duration
	rss int64 // bytes, as of now
}

// used reads /proc. See proc_pid_stat(5) and proc_pid_statm(5).
func (n *node) used() (u usage, err error) {
	const ticks = 100 // a second, on every architecture that Go knows
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
	if err != nil {
		return u, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	user, _ := strconv.ParseInt(string(fields[11]), 10, 64)
	system, _ := strconv.ParseInt(string(fields[12]), 10, 64)
	u.cpu = time.Duration(user+system) * time.Second / ticks
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", n.cmd.Process.Pid))
	if err != nil {
		return u, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	u.rss = pages * int64(os.Getpagesize())
	return u, err
}

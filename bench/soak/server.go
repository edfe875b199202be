package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

const (
	tenantSecret  = "the-secret-of-the-tenant-in-a-soak"
	metricsSecret = "the-secret-of-the-metrics-in-a-soak"
	idle          = 5 * time.Second // the server's idle timeout
	ending        = 5 * time.Second // how long it waits for a client's close
)

// environment is what makes a server bear what a soak does, and forget soon.
func environment() []string {
	const much = "1000000000"
	return append(os.Environ(),
		"PORT=0", "HOST=127.0.0.1", "LOG_LEVEL=error",
		"API_JWT_SECRET="+tenantSecret, "METRICS_JWT_SECRET="+metricsSecret,
		"TENANT_MAX_CONCURRENT_USERS="+much, "TENANT_MAX_EVENTS_PER_SECOND="+much, "TENANT_MAX_JOINS_PER_SECOND="+much,
		"TENANT_MAX_CHANNELS_PER_CLIENT="+much, "TENANT_MAX_PRESENCE_EVENTS_PER_SECOND="+much, "CLIENT_PRESENCE_MAX_CALLS="+much,
		"SOCKET_IDLE_TIMEOUT_MS=5000", "CHANNEL_ERROR_BACKOFF_MS=500", "CONNECT_ERROR_BACKOFF_MS=500", "CLIENT_QUEUE_AGE_MS=3000")
}

// A server is the process under test.
type server struct {
	process *exec.Cmd
	addr    string
	key     string // API key of the tenant
	metrics string // token that may read the metrics
}

// start starts a server and returns when it listens.
func start(ctx context.Context, program string, log io.Writer) (*server, error) {
	s := &server{process: exec.Command(program, "serve")}
	s.process.Env, s.process.Stderr = environment(), log
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w; build it with \"make build\" or name it with -server", err)
	}
	lines := bufio.NewScanner(out)
	for s.addr == "" && lines.Scan() {
		if _, address, found := strings.Cut(lines.Text(), "URL          http://localhost:"); found {
			s.addr = "127.0.0.1:" + strings.TrimSpace(address)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	if s.addr == "" {
		return nil, errors.Join(errors.New("the server does not say where it listens"), s.stop())
	}
	in := time.Now().AddDate(1, 0, 0).Unix()
	s.key, err = auth.Mint(tenantSecret, map[string]any{"role": "anon", "exp": in})
	if err == nil {
		s.metrics, err = auth.Mint(metricsSecret, map[string]any{"exp": in})
	}
	if err == nil {
		_, err = s.figures(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reach the server: %w", err), s.stop())
	}
	return s, nil
}

// stop stops the server, and says so if it does not end well.
func (s *server) stop() error {
	if err := s.process.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("the server has ended by itself: %w", errors.Join(err, s.process.Wait()))
	}
	if err := s.process.Wait(); err != nil {
		return fmt.Errorf("the server did not end well: %w", err)
	}
	return nil
}

// bounds is how much more than before there may be afterwards: what caches,
// maps and the runtime keep for the next time, and a descriptor or two of the
// runtime's own.
var bounds = figures{Goroutines: 2, Files: 2, Heap: 6 << 20, Memory: 48 << 20}

// patience is how long the server may take to be as it was: its timeouts, and
// the two minutes after which Go collects garbage that nobody asks room for,
// and gives it back.
const patience = idle + ending + 5*time.Minute

// settle waits until the server is as it was, and returns its figures. The
// error says in a sentence what is not.
func (s *server) settle(ctx context.Context, before figures, progress io.Writer) (figures, error) {
	deadline := time.Now().Add(patience)
	for n := 0; ; n++ {
		now, err := s.figures(ctx)
		if err != nil {
			return now, err
		}
		fault := before.compare(now)
		if fault == nil || time.Now().After(deadline) {
			return now, fault
		}
		if n%10 == 9 {
			fmt.Fprintf(progress, "settling   %v\n", now)
		}
		if err := pause(ctx, time.Second); err != nil {
			return now, err
		}
	}
}

// rest returns the figures once nothing of what the rehearsal did is left.
func (s *server) rest(ctx context.Context) (figures, error) {
	if err := pause(ctx, idle+ending); err != nil {
		return figures{}, err
	}
	return s.figures(ctx)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

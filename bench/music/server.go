package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

const (
	tenantSecret  = "the-secret-of-the-tenant-in-a-benchmark"
	metricsSecret = "the-secret-of-the-metrics-in-a-benchmark"
	lookAhead     = 200 * time.Millisecond
)

// environment is that of a server which lets everybody be a teacher.
func environment() []string {
	const much = "1000000000"
	return append(os.Environ(),
		"PORT=0", "HOST=127.0.0.1", "LOG_LEVEL=warn",
		"API_JWT_SECRET="+tenantSecret, "METRICS_JWT_SECRET="+metricsSecret,
		"TENANT_MAX_CONCURRENT_USERS="+much, "TENANT_MAX_EVENTS_PER_SECOND="+much, "TENANT_MAX_JOINS_PER_SECOND="+much,
		fmt.Sprintf(`SELF_HOST_EXTENSIONS={"music":{"trust_join_role":true,"look_ahead_ms":%d,"max_members":5000}}`, lookAhead.Milliseconds()))
}

// A server is the process under test.
type server struct {
	process      *exec.Cmd
	url          string
	key, metrics string // tokens
}

// start starts a server and returns when it listens.
func start(ctx context.Context, program string) (*server, error) {
	s := &server{process: exec.Command(program, "serve")}
	s.process.Env, s.process.Stderr = environment(), os.Stderr
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w; build it with \"make build\" or name it with -server", err)
	}
	lines := bufio.NewScanner(out)
	for s.url == "" && lines.Scan() {
		if name, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), " "); name == "URL" {
			s.url = strings.TrimSpace(value)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	if s.url == "" {
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

// figures are a server's metrics, by name and labels as it writes them, but for
// those that say which node it is.
type figures map[string]float64

// ours is those labels.
var ours = regexp.MustCompile(`\b(region|host|id)="[^"]*",?|\{(region="[^"]*",?|host="[^"]*",?|id="[^"]*",?)*\}|,(?:region|host|id)="[^"]*"`)

// figures returns the server's metrics.
func (s *server) figures(ctx context.Context) (figures, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.metrics)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics answers %s", answer.Status)
	}
	all := figures{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		space := strings.LastIndexByte(lines.Text(), ' ')
		if space < 0 {
			continue
		}
		if v, err := strconv.ParseFloat(lines.Text()[space+1:], 64); err == nil {
			all[ours.ReplaceAllString(lines.Text()[:space], "")] = v
		}
	}
	return all, lines.Err()
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

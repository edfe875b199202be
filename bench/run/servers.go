package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

// The servers that are compared.
const (
	tutti = "tutti"
	limit = "limit"
	rival = "rival"
)

// packages are where the servers are built from.
var packages = map[string]string{
	tutti: "github.com/tutti-realtime/tutti/cmd/tutti",
	limit: "github.com/tutti-realtime/tutti/bench/limit",
	rival: "github.com/tutti-realtime/tutti/bench/rival",
}

// secret signs the tokens of the one tenant, which lives as long as a run.
const secret = "bench-secret-of-at-least-32-characters"

// tenants is a tenants file whose limits no load reaches.
const tenants = `tenants:
  - external_id: bench
    jwt_secret: ` + secret + `
    max_concurrent_users: 2000000000
    max_events_per_second: 2000000000
    max_joins_per_second: 2000000000
    max_channels_per_client: 2000000000
    max_presence_events_per_second: 2000000000
    max_client_presence_events_per_window: 2000000000
    client_presence_window_ms: 30000
`

// prepare builds the servers, and writes what they need.
func (b *bench) prepare(ctx context.Context) (err error) {
	if err := os.WriteFile(b.tenantsFile(), []byte(tenants), 0o600); err != nil {
		return fmt.Errorf("write the tenants file: %w", err)
	}
	b.key, err = auth.Mint(secret, map[string]any{"role": "anon", "exp": time.Now().Add(24 * time.Hour).Unix()})
	if err != nil || b.bin != "" {
		return err
	}
	b.bin = b.dir
	for name, path := range packages {
		logf("building %s", name)
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(b.bin, name), path)
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return nil
}

func (b *bench) tenantsFile() string { return filepath.Join(b.dir, "tenants.yaml") }

// arguments are the command line of a server.
func (b *bench) arguments(name string, port int) []string {
	p := strconv.Itoa(port)
	switch name {
	case tutti:
		return []string{"serve", "--host", "127.0.0.1", "--port", p, "--tenants", b.tenantsFile(), "--log-level", "warn"}
	case rival:
		return []string{"-port", p, "-library", b.library}
	}
	return []string{"-port", p}
}

// A process is a server that runs.
type process struct {
	cmd *exec.Cmd
	url string
}

// start starts a server and waits until it accepts connections.
func (b *bench) start(ctx context.Context, name string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(b.bin, name))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	cmd := exec.CommandContext(ctx, path, b.arguments(name, port)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{cmd: cmd, url: fmt.Sprintf("http://bench.localhost:%d", port)}
	if err := await(ctx, port); err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not accept connections: %w", name, err), p.stop())
	}
	return p, nil
}

// stop ends a server and waits for it. How it ended does not matter.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop a server: %w", err)
	}
	killer := time.AfterFunc(15*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer killer.Stop()
	_ = p.cmd.Wait()
	return nil
}

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// await waits until a port accepts connections.
func await(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// machine describes what the servers ran on.
func machine() string {
	return fmt.Sprintf("%s/%s with %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}

// logf tells how far the run is.
func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

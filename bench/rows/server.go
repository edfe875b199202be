package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/auth"
)

// secret signs the tokens of the one tenant, which lives as long as a run.
const secret = "rows-secret-of-at-least-32-characters"

// tenants is a tenants file whose limits no load reaches.
const tenants = `tenants:
  - external_id: rows
    jwt_secret: ` + secret + `
    max_concurrent_users: 2000000000
    max_events_per_second: 2000000000
    max_joins_per_second: 2000000000
    max_channels_per_client: 2000000000
    extensions:
      - type: postgres_cdc_rls
        settings:
          db_host: %q
          db_port: "%d"
          db_name: %q
          db_user: %q
          db_password: %q
          db_pool: %d
          ssl_enforced: false
`

// A stage is what one load plays on: a database of its own, and a server.
type stage struct {
	dsn  string
	drop func(context.Context) error
	cmd  *exec.Cmd
	url  string
	key  string
	load processes
}

// open makes a database in which statements have been run, and starts a server.
func (p *place) open(ctx context.Context, statements string) (_ *stage, err error) {
	s := &stage{}
	if s.dsn, s.drop, err = p.database(ctx, statements); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.key, err = token("anon", ""); err != nil {
		return nil, err
	}
	if err := s.start(ctx, p); err != nil {
		return nil, err
	}
	s.load.server = s.cmd.Process.Pid
	if s.load.postmaster, err = postmasterOf(ctx, s.dsn); err != nil {
		return nil, err
	}
	return s, nil
}

// token returns one that is valid for a day; without a subject when that is "".
func token(role, subject string) (string, error) {
	claims := map[string]any{"role": role, "exp": time.Now().Add(24 * time.Hour).Unix()}
	if subject != "" {
		claims["sub"] = subject
	}
	return auth.Mint(secret, claims)
}

// start starts the server and waits until it accepts connections.
func (s *stage) start(ctx context.Context, p *place) error {
	d, err := settings(s.dsn, p.pool)
	if err != nil {
		return err
	}
	file := filepath.Join(p.dir, "tenants.yaml")
	text := fmt.Sprintf(tenants, d.Host, d.Port, d.Name, d.User, d.Password, d.Pool)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the tenants file: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	s.cmd = exec.CommandContext(ctx, p.program, "serve", "--host", "127.0.0.1", "--port", strconv.Itoa(port), "--tenants", file, "--log-level", "warn")
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("start the server: %w", err)
	}
	s.url = fmt.Sprintf("http://rows.localhost:%d", port)
	if err := await(ctx, port); err != nil {
		return fmt.Errorf("the server does not accept connections: %w", err)
	}
	return nil
}

// close stops the server and drops its database. How the server ended does not
// matter.
func (s *stage) close() error {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		killer := time.AfterFunc(15*time.Second, func() { _ = s.cmd.Process.Kill() })
		defer killer.Stop()
		_ = s.cmd.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.drop(ctx)
}

// postmasterOf returns the process of the PostgreSQL at an address, which is the
// parent of the one that serves us.
func postmasterOf(ctx context.Context, dsn string) (int, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, fmt.Errorf("find PostgreSQL's process: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	own, err := readStat(int(conn.PgConn().PID()))
	if err != nil {
		return 0, fmt.Errorf("find PostgreSQL's process: %w", err)
	}
	return own.parent, nil
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
	again := time.NewTicker(10 * time.Millisecond)
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

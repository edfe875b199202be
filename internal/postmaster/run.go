package postmaster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// attempts bounds how often a start is repeated because somebody took the port
// that was free a moment ago.
const attempts = 20

// run starts PostgreSQL on the cluster and returns when it accepts connections.
func (s *Server) run(ctx context.Context) error {
	for try := 1; ; try++ {
		if err := s.choosePort(); err != nil {
			return err
		}
		p, err := s.launch()
		if err != nil {
			return fmt.Errorf("start PostgreSQL: %w", err)
		}
		s.mu.Lock()
		s.process = p
		s.mu.Unlock()
		select {
		case <-p.ready:
			return nil
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for PostgreSQL: %w", context.Cause(ctx)), p.end(ctx, immediate, os.Kill))
		case <-p.done:
		}
		if err := s.again(ctx, p, try); err != nil {
			return err
		}
	}
}

// again looks at why a start failed. It returns nil when another may succeed.
func (s *Server) again(ctx context.Context, p *process, try int) error {
	switch {
	case p.said("could not bind") && s.config.Port == 0 && try < attempts:
		s.mu.Lock()
		s.port = 0
		s.mu.Unlock()
		return nil
	case p.said("could not bind"):
		return &Error{
			Code:  PortInUse,
			Cause: fmt.Sprintf("port %d of %s is in use", s.Port(), Host),
			Cure:  "stop what listens there, or choose another port",
		}
	case p.said("pre-existing shared memory block"):
		// Children of a killed postmaster are still there. They notice its death
		// and end, but are nobody's to wait for.
		select {
		case <-time.After(50 * time.Millisecond):
			return nil
		case <-ctx.Done():
		}
	}
	cure := "see " + s.LogFile()
	if s.folder.temporary {
		cure = "name a folder to see the whole log there"
	}
	return &Error{Code: PostgresFailed, Cause: "PostgreSQL did not start", Cure: cure, Err: p.fatal()}
}

// launch starts postgres with a new log.
func (s *Server) launch() (*process, error) {
	root, err := os.OpenRoot(s.folder.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := root.Rename(logName, logName+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	log, err := root.OpenFile(logName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.programs.postgres(), s.arguments()...)
	cmd.Dir = s.folder.dir
	cmd.Env = environment()
	cmd.SysProcAttr = attributes(s.account)
	dieWithUs(cmd.SysProcAttr, immediate)
	return launch(cmd, log)
}

// arguments returns the command line of postgres. Of two equal settings the
// later one holds.
func (s *Server) arguments() []string {
	args := []string{"-D", s.folder.data()}
	set := func(settings map[string]string) {
		for name, value := range settings {
			args = append(args, "-c", name+"="+value)
		}
	}
	set(map[string]string{
		"wal_level":             "logical",
		"max_replication_slots": "100",
		"max_wal_senders":       "100",
		"max_connections":       "200",
		"timezone":              "UTC", // columns without a zone are read as UTC
		"log_timezone":          "UTC",
		// A slot that nobody reads any more must not fill the disk.
		"max_slot_wal_keep_size": "1GB",
	})
	if s.config.Throwaway {
		set(map[string]string{"fsync": "off", "full_page_writes": "off"})
	}
	set(s.config.Settings)
	set(map[string]string{
		"listen_addresses":        Host,
		"port":                    strconv.Itoa(s.Port()),
		"unix_socket_directories": s.folder.sockets,
		// The log is how we learn that it is ready, so it must be ours to read.
		"logging_collector": "off",
		"log_destination":   "stderr",
		"log_min_messages":  "warning",
		"lc_messages":       "C",
	})
	return args
}

// choosePort picks a free port unless there is one already.
func (s *Server) choosePort() error {
	if s.Port() != 0 {
		return nil
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.port = port
	return nil
}

// freePort returns a port of Host on which nobody listens. It is not one of those
// that the system gives to outgoing connections, so that it is still free when
// PostgreSQL comes back after a restart.
func freePort() (int, error) {
	var last error
	for range attempts {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", net.JoinHostPort(Host, strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}

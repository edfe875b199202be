// Package postmaster keeps a private PostgreSQL running: the one behind
// `tutti dev`, and the one behind the tests that want a real database. It knows
// how to find the programs, make a cluster, start it, put a crashed one right
// and leave no process behind. internal/app and postmastertest call it. It owns
// one goroutine per running PostgreSQL, which ends when the last process of
// that PostgreSQL has ended.
package postmaster

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

const (
	// Host is the only address on which our PostgreSQL listens.
	Host = "127.0.0.1"
	// Superuser owns the cluster. The name is Supabase's.
	Superuser = "supabase_admin"
)

// A Config says which PostgreSQL is wanted. The zero Config is a good one for
// tests.
type Config struct {
	// Dir holds everything: data, sockets, password and log. It is made when it
	// is missing. "" means a temporary folder, which implies Throwaway and is
	// deleted by Stop.
	Dir string
	// Port is where it listens, on 127.0.0.1 only. Zero picks a free one, which
	// then stays the same for the life of the Server.
	Port int
	// Bin is the folder of the programs initdb and postgres. "" looks for them
	// on the machine, and fetches them when there are none.
	Bin string
	// Throwaway trades the safety of the data against a power cut for speed. A
	// killed PostgreSQL still recovers what was committed.
	Throwaway bool
	// Settings are further settings of PostgreSQL, by name, over our own. Those
	// that we live by (port, sockets, logging) cannot be changed.
	Settings map[string]string
	// Log is told what takes time or is out of order. Nil is silent.
	Log *slog.Logger
}

// A Server is one PostgreSQL of ours. Its methods may be called from any
// goroutine.
type Server struct {
	config   Config
	folder   folder
	programs programs
	account  *account // whom PostgreSQL runs as; nil: as ourselves
	password string

	mu      sync.Mutex // guards what follows; nothing is waited for under it
	port    int
	process *process // the latest; nil before the first start
	stopped bool     // Stop was called: the folder is no longer ours
}

// Start makes a cluster if the folder has none, starts PostgreSQL on it and
// returns when it accepts connections. The context bounds the start only; the
// PostgreSQL runs until Stop, and dies with this process even if that is killed.
// A PostgreSQL that an earlier process left running in the folder is stopped
// first. What can go wrong for reasons of the machine comes back as an *Error.
func Start(ctx context.Context, c Config) (*Server, error) {
	if !supported {
		return nil, errUnsupported
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	f, err := openFolder(c.Dir)
	if err != nil {
		return nil, err
	}
	c.Throwaway = c.Throwaway || f.temporary
	s := &Server{config: c, folder: f, port: c.Port}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.folder.close())
	}
	return s, nil
}

// start does what is between an open folder and a PostgreSQL that answers.
func (s *Server) start(ctx context.Context) (err error) {
	if s.account, err = chooseAccount(s.folder.data()); err != nil {
		return err
	}
	if err := s.folder.own(s.account); err != nil {
		return err
	}
	if s.programs, err = findPrograms(ctx, s.config, s.folder); err != nil {
		return err
	}
	if err := s.programs.try(ctx, s.folder.dir, s.account); err != nil {
		return err
	}
	if err := s.folder.clear(ctx, s.config.Log); err != nil {
		return err
	}
	if err := s.folder.makeSockets(s.account); err != nil {
		return err
	}
	if s.password, err = s.makeCluster(ctx); err != nil {
		return err
	}
	return s.run(ctx)
}

// Port returns the TCP port on Host.
func (s *Server) Port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port
}

// Password returns that of Superuser. It also stands in the file "password" of
// the folder, which only its owner may read.
func (s *Server) Password() string { return s.password }

// Sockets returns the folder of the unix socket.
func (s *Server) Sockets() string { return s.folder.sockets }

// LogFile returns the path of PostgreSQL's own log, which starts anew with every
// start; the one before it has ".1" after its name.
func (s *Server) LogFile() string { return s.folder.path(logName) }

// Version returns what the program says of itself, such as
// "postgres (PostgreSQL) 15.18".
func (s *Server) Version() string { return s.programs.version }

// DSN returns the address of a database for Superuser, over TCP. The cluster
// begins with the one database "postgres".
func (s *Server) DSN(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(Superuser, s.password),
		Host:     net.JoinHostPort(Host, strconv.Itoa(s.Port())),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketDSN is DSN over the unix socket.
func (s *Server) SocketDSN(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(Superuser, s.password),
		Path:     "/" + database,
		RawQuery: url.Values{"host": {s.folder.sockets}, "port": {strconv.Itoa(s.Port())}}.Encode(),
	}
	return u.String()
}

// DefaultDir returns where a PostgreSQL for development keeps its folder when
// nobody says otherwise. For root it is outside root's home, because PostgreSQL
// then runs as a user who may not look in there.
func DefaultDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/tutti/postgres", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	share := cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local", "share"))
	return filepath.Join(share, "tutti", "postgres"), nil
}

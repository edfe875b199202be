package postgres

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tutti-realtime/tutti"
)

// DefaultAfterConnect chooses the schema in which the reference has its tables.
const DefaultAfterConnect = "SET search_path TO _realtime"

const (
	// standardPoolSize is the reference's.
	standardPoolSize = 5
	// standardTimeout is less than clients wait for an answer. Without one a host
	// that swallows packets would hold them for minutes.
	standardTimeout = 3 * time.Second
)

// ControlConfig says where the control database is. The comments name the
// setting of the reference (database.md §7.1).
type ControlConfig struct {
	Host      string // DB_HOST: a name, an address, or the folder of a socket
	Port      uint16 // DB_PORT; 0 is 5432
	Name      string // DB_NAME
	User      string // DB_USER
	Password  string // DB_PASSWORD
	SSL       bool   // DB_SSL
	SSLCACert string // DB_SSL_CA_CERT, a file: with SSL, verifies the server's certificate
	IPVersion string // DB_IP_VERSION: auto, ipv4 or ipv6; "" is auto
	PoolSize  int    // DB_POOL_SIZE; 0 is 5. Listen and Migrate use one more each

	// AfterConnect is DB_AFTER_CONNECT_QUERY; "" is DefaultAfterConnect. The
	// tables are in the first schema of the search path that it sets.
	AfterConnect string

	Extensions []tutti.Extension `json:"-"` // whose secrets are sealed

	AppName string        // APP_NAME, by which PostgreSQL shows our connections
	Timeout time.Duration // for one question and for one attempt to connect; 0 is 3 s
}

// Control is the tenants in a control database. It connects when it is asked
// something; a database that is down makes it answer tutti.ErrUnavailable, and one
// that is back is used again. Its methods may be called from any goroutine.
type Control struct {
	Log *slog.Logger // nil is slog.Default()

	config  ControlConfig
	cipher  Cipher
	pool    *pgxpool.Pool
	wires   *wires        // of the pool
	silence time.Duration // the constant, but in tests
}

// OpenControl returns the tenants of a control database, whose secrets are
// sealed with cipher. It does not connect: an error is one of the configuration.
func OpenControl(c ControlConfig, cipher Cipher) (*Control, error) {
	c.Port = cmp.Or(c.Port, 5432)
	c.AfterConnect = cmp.Or(c.AfterConnect, DefaultAfterConnect)
	c.PoolSize = cmp.Or(c.PoolSize, standardPoolSize)
	c.Timeout = cmp.Or(c.Timeout, standardTimeout)
	conn, err := c.connConfig()
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("make the pool's configuration: %w", err)
	}
	all := &wires{}
	config.ConnConfig, conn.DialFunc = conn, all.dial
	config.MaxConns = int32(min(c.PoolSize, 1000))
	config.AfterConnect = afterConnect(c.AfterConnect)
	// The context is for connections made in advance, and there are none.
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("make the pool: %w", err)
	}
	return &Control{config: c, cipher: cipher, pool: pool, wires: all, silence: silence}, nil
}

// Close waits for questions that are being answered, though not for long, and
// disconnects.
func (c *Control) Close() { c.wires.close(c.pool) }

func (c *Control) log() *slog.Logger {
	if c.Log != nil {
		return c.Log
	}
	return slog.Default()
}

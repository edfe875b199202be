package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tutti-realtime/tutti"
)

// A Database is a tenant's database. Its methods may be called by any
// goroutine, and each bounds how long it waits. An error that wraps
// tutti.ErrUnavailable says that the database gave no answer.
//
// It has two pools: one for what joins and messages wait for, of the size that
// the tenant's settings give, and one for the changes of rows, so that neither
// keeps the other waiting.
type Database struct {
	settings tutti.Database
	config   *pgx.ConnConfig
	policies *pgxpool.Pool // of joins, broadcasts, replay, partitions
	rows     *pgxpool.Pool // of the feed of changes
	wires    wires
	rowLimit time.Duration // the constant rowTimeout, but in tests
}

// connectTimeout bounds how long making one connection may take.
const connectTimeout = 10 * time.Second

// rowConnections is how many connections the checks of rows may use at once.
const rowConnections = 2

// idleConnection is how long a connection that nobody uses stays open.
const idleConnection = time.Minute

// OpenDatabase returns the database that the settings name. It connects when it
// is first asked something. Close must be called.
func OpenDatabase(settings tutti.Database) (*Database, error) {
	config, err := databaseConfig(&settings)
	if err != nil {
		return nil, err
	}
	d := &Database{settings: settings, config: config, rowLimit: rowTimeout}
	if d.policies, err = d.pool("realtime_connect", settings.Pool); err != nil {
		return nil, err
	}
	if d.rows, err = d.pool("realtime_rls", rowConnections); err != nil {
		d.policies.Close()
		return nil, err
	}
	return d, nil
}

// Close ends all connections. It waits for those that are in use, though not for
// long.
func (d *Database) Close() { d.wires.close(d.policies, d.rows) }

// Settings returns what the database was opened with.
func (d *Database) Settings() tutti.Database { return d.settings }

// Replication returns how a feed connects to the database.
func (d *Database) Replication() *pgconn.Config {
	config := d.config.Config.Copy()
	config.RuntimeParams["application_name"] = "realtime_replication_connection"
	return config
}

// databaseConfig returns how to connect. Nothing of the process's environment
// counts.
func databaseConfig(s *tutti.Database) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("make a connection's configuration: %w", err)
	}
	config.Host, config.Port, config.Database = s.Host, s.Port, s.Name
	config.User, config.Password = s.User, s.Password
	config.Fallbacks, config.ValidateConnect = nil, nil
	config.ConnectTimeout = connectTimeout
	// What policies and rendering see must not depend on how the server or the
	// role is set up.
	config.RuntimeParams = map[string]string{"timezone": "UTC", "datestyle": "ISO, MDY", "intervalstyle": "postgres"}
	if config.LookupFunc, err = lookup(""); err != nil {
		return nil, err
	}
	if s.SSL {
		config.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.Host, InsecureSkipVerify: s.CA == ""}
		if s.CA != "" {
			config.TLSConfig.RootCAs = x509.NewCertPool()
			if !config.TLSConfig.RootCAs.AppendCertsFromPEM([]byte(s.CA)) {
				return nil, errors.New("setting ssl_ca_cert holds no certificate")
			}
		}
	}
	return config, nil
}

func (d *Database) pool(name string, size int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("make a pool's configuration: %w", err)
	}
	config.ConnConfig = d.config.Copy()
	config.ConnConfig.DialFunc = d.wires.dial
	config.ConnConfig.RuntimeParams["application_name"] = name
	config.MaxConns, config.MinConns = int32(size), 0
	config.MaxConnIdleTime = idleConnection
	// A connection that was lost shows when it is used, and those who use it try
	// once more: cheaper than a round trip before each question.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("make a pool: %w", err)
	}
	return pool, nil
}

package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
)

// connConfig returns how to connect. All that pgx may have read from the
// environment of the process (PGHOST and such) is put aside: only the settings
// of the server count.
func (c *ControlConfig) connConfig() (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("make a connection's configuration: %w", err)
	}
	config.Host, config.Port, config.Database = c.Host, c.Port, c.Name
	config.User, config.Password = c.User, c.Password
	config.Fallbacks = nil
	config.ConnectTimeout = c.Timeout
	config.ValidateConnect = nil
	config.RuntimeParams = map[string]string{}
	if c.AppName != "" {
		config.RuntimeParams["application_name"] = c.AppName
	}
	if config.LookupFunc, err = lookup(c.IPVersion); err != nil {
		return nil, err
	}
	if c.SSL {
		if config.TLSConfig, err = tlsConfig(c.Host, c.SSLCACert); err != nil {
			return nil, err
		}
	}
	return config, nil
}

// lookup returns what finds the addresses of a host, of one family if asked for.
func lookup(ipVersion string) (pgconn.LookupFunc, error) {
	networks := map[string]string{"": "ip", "auto": "ip", "ipv4": "ip4", "ipv6": "ip6"}
	network, ok := networks[ipVersion]
	if !ok {
		return nil, fmt.Errorf("DB_IP_VERSION must be auto, ipv4 or ipv6, not %q", ipVersion)
	}
	return func(ctx context.Context, host string) ([]string, error) {
		ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
		if err != nil {
			return nil, err
		}
		var all []string
		for _, ip := range ips {
			all = append(all, ip.Unmap().String())
		}
		return all, nil
	}, nil
}

// tlsConfig returns the TLS of connections to host. Without a file of
// certificates the server's is not verified, as in the reference: databases
// have certificates that nobody signed.
func tlsConfig(host, caFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if caFile == "" {
		config.InsecureSkipVerify = true
		return config, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read DB_SSL_CA_CERT: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read DB_SSL_CA_CERT: %s holds no certificate", caFile)
	}
	return config, nil
}

// afterConnect returns what makes a new connection ready: some statements of
// SQL, with semicolons between them.
func afterConnect(statements string) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
			return fmt.Errorf("run %q after connecting: %w", statements, err)
		}
		return nil
	}
}

// awayCodes are what PostgreSQL says when it is starting, stopping or full.
var awayCodes = []string{"57P01", "57P02", "57P03", "53300"}

// failed returns err as others may see it: an tutti.ErrUnavailable where the database
// gave no answer.
func failed(err error) error {
	var (
		connect *pgconn.ConnectError
		network net.Error
		answer  *pgconn.PgError
		away    bool
	)
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &answer):
		away = slices.Contains(awayCodes, answer.Code)
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, io.EOF), errors.Is(err, context.DeadlineExceeded), pgconn.SafeToRetry(err):
		away = true
	}
	if !away {
		return err
	}
	return fmt.Errorf("%w: %w", tutti.ErrUnavailable, err)
}

// within bounds how long one question to a database may take.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, limit)
}

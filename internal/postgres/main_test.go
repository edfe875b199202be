package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
	"github.com/tutti-realtime/tutti/internal/secret"
)

// Keys of the test data.
const (
	key16 = "1234567890123456"
	key32 = "12345678901234567890123456789012"
)

// migrateVariable makes this binary a process that migrates the control
// database in it, a ControlConfig as JSON, and ends.
const migrateVariable = "TUTTI_TEST_MIGRATE"

func TestMain(m *testing.M) {
	if text := os.Getenv(migrateVariable); text != "" {
		if err := migrateAs(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// Most tests want tables and not to wait for them.
	goleak.VerifyTestMain(postmastertest.With(m, func(ctx context.Context, dsn string) error {
		config, err := placeOf(dsn)
		if err != nil {
			return err
		}
		return migrate(ctx, config)
	}))
}

func migrateAs(text string) error {
	var config ControlConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err
	}
	return migrate(context.Background(), config)
}

func migrate(ctx context.Context, config ControlConfig) error {
	cipher, err := secret.New(secret.Config{Key: key16})
	if err != nil {
		return err
	}
	c, err := OpenControl(config, cipher)
	if err != nil {
		return err
	}
	defer c.Close()
	c.Log = slog.New(slog.DiscardHandler)
	return c.Migrate(ctx)
}

func placeOf(dsn string) (ControlConfig, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return ControlConfig{}, err
	}
	return ControlConfig{
		Host: c.Host, Port: c.Port, Name: c.Database, User: c.User, Password: c.Password,
		AppName: "tutti_test",
	}, nil
}

// place returns where a fresh database without control tables is.
func place(t testing.TB) ControlConfig {
	t.Helper()
	config := placeWithTables(t)
	psql(t, config, "DROP SCHEMA _realtime CASCADE")
	return config
}

func placeWithTables(t testing.TB) ControlConfig {
	t.Helper()
	config, err := placeOf(postmastertest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// open returns the control at a place; it is closed when the test ends.
func open(t testing.TB, config ControlConfig, keys secret.Config) *Control {
	t.Helper()
	cipher, err := secret.New(keys)
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenControl(config, cipher)
	if err != nil {
		t.Fatal(err)
	}
	c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	t.Cleanup(c.Close)
	return c
}

var gcm = secret.Config{Key: key16, KeyGCM: key32, WriteGCM: true}

// migrated returns the control of a fresh database with tables.
func migrated(t testing.TB) *Control {
	t.Helper()
	return open(t, placeWithTables(t), gcm)
}

// psql runs statements as somebody who knows nothing of us.
func psql(t testing.TB, config ControlConfig, statements string) {
	t.Helper()
	conn := stranger(t, config)
	defer conn.Close(t.Context())
	if _, err := conn.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

func stranger(t testing.TB, config ControlConfig) *pgx.Conn {
	t.Helper()
	settings, err := config.connConfig()
	if err != nil {
		t.Fatal(err)
	}
	settings.RuntimeParams["application_name"] = "psql"
	conn, err := pgx.ConnectConfig(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// value returns the one value that a query gives a stranger.
func value[T any](t testing.TB, config ControlConfig, query string, args ...any) (v T) {
	t.Helper()
	conn := stranger(t, config)
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// load runs a file of test data.
func load(t testing.TB, config ControlConfig, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	psql(t, config, string(text))
}

func acme() *tutti.Tenant {
	return &tutti.Tenant{
		ExternalID: "acme", Name: "Acme", JWTSecret: "secret",
		MaxConcurrentUsers: 200, MaxEventsPerSecond: 100,
		PostgresCDCDefault: "postgres_cdc_rls", BroadcastAdapter: "gen_rpc",
		Extensions: []tutti.TenantExtension{{Type: "postgres_cdc_rls", Settings: map[string]any{
			"db_host": "127.0.0.1", "db_port": "5432", "db_name": "postgres", "db_user": "supabase_admin",
			"db_password": "database password", "region": "us-east-1", "poll_interval_ms": 100.0,
		}}},
	}
}

package postgres

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/secret"
)

// shape is the columns of the control tables with types and defaults, in the
// order of their names.
const shape = `
SELECT string_agg(format('%s.%s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN ' NOT NULL' END, ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY c.relname, a.attname)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = '_realtime'::regnamespace AND c.relname IN ('tenants', 'extensions', 'feature_flags')
  AND a.attnum > 0 AND NOT a.attisdropped`

const indexes = `
SELECT string_agg(indexdef, E'\n' ORDER BY indexname) FROM pg_indexes
WHERE schemaname = '_realtime' AND tablename IN ('tenants', 'extensions', 'feature_flags')`

func TestTablesMadeFromNothingAreTheReferences(t *testing.T) {
	t.Parallel()
	reference := place(t)
	load(t, reference, "testdata/reference_schema.sql")
	ours := open(t, place(t), gcm)
	if err := ours.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, query := range map[string]string{"columns": shape, "indexes": indexes} {
		want, got := value[string](t, reference, query), value[string](t, ours.config, query)
		if got != want {
			t.Errorf("%s are\n%s\nand of the reference\n%s", name, got, want)
		}
	}
}

func TestOlderTablesBecomeTheReferences(t *testing.T) {
	t.Parallel()
	reference, older := place(t), place(t)
	load(t, reference, "testdata/reference_schema.sql")
	load(t, older, "testdata/older_schema.sql")
	c := open(t, older, gcm)
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What is wide enough stays.
	kept := strings.NewReplacer(
		"extensions.type text", "extensions.type character varying(255)",
		"extensions.tenant_external_id text", "extensions.tenant_external_id character varying(255)")
	if want, got := kept.Replace(value[string](t, reference, shape)), value[string](t, older, shape); got != want {
		t.Errorf("columns are\n%s\nand of the reference\n%s", got, want)
	}
	tenant, err := c.Find(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	if tenant.JWTSecret != "new_signing_secret" || tenant.MaxConcurrentUsers != 10000 || tenant.MaxPayloadSizeKB != 3000 {
		t.Errorf("%+v", tenant)
	}
	tenant.JWTSecret, tenant.JWTJWKS = "", json.RawMessage(`{"keys": []}`)
	tenant.Name = strings.Repeat("long ", 100)
	if _, err := c.Put(t.Context(), tenant); err != nil {
		t.Errorf("a tenant with keys only: %v", err)
	}
}

func TestTenantsOfTheReferenceAreUnderstood(t *testing.T) {
	t.Parallel()
	c := open(t, place(t), gcm)
	load(t, c.config, "testdata/reference_schema.sql")
	before := value[string](t, c.config, shape)
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := value[string](t, c.config, shape); after != before {
		t.Errorf("columns were\n%s\nand are\n%s", before, after)
	}
	database := map[string]any{
		"db_host": "127.0.0.1", "db_port": "5432", "db_name": "postgres", "db_user": "supabase_admin",
		"db_password": "database password", "region": "us-east-1", "poll_interval_ms": 100.0, "ssl_enforced": false,
	}
	first, last := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	common := tutti.Tenant{
		MaxConcurrentUsers: 200, MaxEventsPerSecond: 100, MaxJoinsPerSecond: 500, MaxChannelsPerClient: 100,
		MaxBytesPerSecond: 100000, MaxPresenceEventsPerSecond: 1000, MaxPayloadSizeKB: 3000,
		PostgresCDCDefault: "postgres_cdc_rls", BroadcastAdapter: "gen_rpc",
		InsertedAt: first, UpdatedAt: last,
	}
	extension := []tutti.TenantExtension{{Type: "postgres_cdc_rls", Settings: database, InsertedAt: first, UpdatedAt: last}}
	legacy, gcm, keys := common, common, common
	legacy.ID, legacy.ExternalID, legacy.Name = "00000000-0000-4000-8000-000000000001", "legacy", "Legacy"
	legacy.JWTSecret, legacy.Extensions = "new_signing_secret", extension
	legacy.FeatureFlags = map[string]bool{"some_flag": true}
	gcm.ID, gcm.ExternalID, gcm.Name = "00000000-0000-4000-8000-000000000002", "gcm", "GCM"
	gcm.JWTSecret, gcm.JWTJWKS, gcm.Extensions = "new_signing_secret", json.RawMessage(`{"keys": []}`), extension
	keys.ID, keys.ExternalID = "00000000-0000-4000-8000-000000000003", "keys"
	keys.JWTJWKS = json.RawMessage(`{"keys": [{"k": "c2VjcmV0", "kty": "oct"}]}`)
	for _, want := range []tutti.Tenant{legacy, gcm, keys} {
		got, err := c.Find(t.Context(), want.ExternalID)
		if err != nil {
			t.Error(err)
		} else if !reflect.DeepEqual(*got, want) {
			t.Errorf("got  %+v\nwant %+v", *got, want)
		}
	}
}

func TestTheReferencesNotesAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"testdata/reference_schema.sql", "testdata/older_schema.sql"} {
		c := open(t, place(t), gcm)
		load(t, c.config, file)
		const notes = `SELECT string_agg(m::text, ' ' ORDER BY version) FROM _realtime.schema_migrations m`
		before := value[string](t, c.config, notes)
		if err := c.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := value[string](t, c.config, notes); after != before {
			t.Errorf("%s: notes were %s and are %s", file, before, after)
		}
	}
	c := migrated(t)
	if value[bool](t, c.config, `SELECT to_regclass('_realtime.schema_migrations') IS NOT NULL`) {
		t.Error("the reference's notes were made")
	}
}

// A reference that comes back writes as it always did.
func TestTheReferenceMayWriteAfterUs(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	psql(t, c.config, `SET search_path TO _realtime;
		INSERT INTO tenants (id, external_id, jwt_secret, inserted_at, updated_at)
		  VALUES (gen_random_uuid(), 'theirs', 'v1QVng3N+pZd/0AEObABwg==', now(), now());
		ALTER TABLE tenants ALTER COLUMN external_id TYPE varchar(300);
		ALTER TABLE tenants DROP COLUMN notify_private_alpha;
		UPDATE tenants SET external_id = repeat('long', 75) WHERE external_id = 'theirs';
		ALTER TABLE tenants ALTER COLUMN external_id TYPE text;
		INSERT INTO tenants (id, external_id, jwt_secret, inserted_at, updated_at)
		  VALUES (gen_random_uuid(), repeat('long ', 2000), 'v1QVng3N+pZd/0AEObABwg==', now(), now());
		DELETE FROM tenants; TRUNCATE tenants CASCADE`)
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	before := value[string](t, c.config, shape)
	if err := c.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	// A newer version of us was here.
	psql(t, c.config, "INSERT INTO _realtime.tutti_migrations (version_id, is_applied) VALUES (99, true)")
	if err := c.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	// Statements that ran must be able to run again.
	psql(t, c.config, "DROP TABLE _realtime.tutti_migrations")
	if err := c.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if after := value[string](t, c.config, shape); after != before {
		t.Errorf("columns were\n%s\nand are\n%s", before, after)
	}
	if _, err := c.Find(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
}

func TestProcessesThatMigrateAtOnce(t *testing.T) {
	t.Parallel()
	config := place(t)
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			process := exec.CommandContext(t.Context(), self)
			process.Env = append(os.Environ(), migrateVariable+"="+string(text))
			if out, err := process.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	c := open(t, config, secret.Config{Key: key16})
	for range 3 {
		all.Go(func() {
			if err := c.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := value[int](t, config, "SELECT count(*) FROM _realtime.tutti_migrations WHERE version_id > 0"); n != 5 {
		t.Errorf("%d migrations are noted", n)
	}
}

func TestWhereTheTablesAre(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ before, query, schema string }{
		"in the schema of the reference, unless told otherwise": {schema: "_realtime"},
		"a schema that is missing is made":                      {query: `SET search_path TO "My Realm", public`, schema: "My Realm"},
		"a table of somebody else behind it is not ours": {
			before: "CREATE TABLE public.tenants (id int)", query: "SET search_path TO realm, public", schema: "realm",
		},
		"several statements":             {query: "SET statement_timeout TO '9s'; SET search_path TO realm;", schema: "realm"},
		"without a schema of the user":   {query: `SET search_path TO "$user", public`, schema: "public"},
		"a schema that is there stays":   {before: "CREATE SCHEMA realm", query: "SET search_path = realm", schema: "realm"},
		"a name that need not be quoted": {query: "SELECT set_config('search_path', 'Realm', false)", schema: "realm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := place(t)
			config.AfterConnect = tt.query
			psql(t, config, tt.before)
			c := open(t, config, gcm)
			if err := c.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Put(t.Context(), acme()); err != nil {
				t.Fatal(err)
			}
			const where = `SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename IN ('tenants', 'extensions', 'feature_flags', 'tutti_migrations')`
			if n := value[int](t, config, where, tt.schema); n != 4 {
				t.Errorf("%d tables are in %s", n, tt.schema)
			}
		})
	}
}

func TestNoSchemaToMigrate(t *testing.T) {
	t.Parallel()
	config := place(t)
	config.AfterConnect = "SET search_path TO ''"
	err := open(t, config, gcm).Migrate(t.Context())
	if err == nil || !strings.Contains(err.Error(), "DB_AFTER_CONNECT_QUERY") {
		t.Error(err)
	}
}

func TestTablesOfAnotherShapeAreRefused(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	for change, want := range map[string]string{
		"ALTER TABLE tenants ALTER COLUMN max_joins_per_second DROP DEFAULT, ALTER COLUMN max_joins_per_second TYPE text": "column tenants.max_joins_per_second: expected integer or bigint, found text",
		"ALTER TABLE tenants DROP COLUMN suspend":                                       "column tenants.suspend: expected boolean, found no such column",
		"ALTER TABLE tenants ADD COLUMN plan text NOT NULL":                             "column tenants.plan: expected a default, since we do not fill it, found text NOT NULL without one",
		"ALTER TABLE tenants ALTER COLUMN client_presence_window_ms SET NOT NULL":       "column tenants.client_presence_window_ms: expected a column that takes NULL, found NOT NULL",
		"ALTER TABLE extensions ALTER COLUMN settings TYPE json":                        "column extensions.settings: expected jsonb, found json",
		"ALTER TABLE feature_flags ALTER COLUMN updated_at TYPE timestamptz":            "column feature_flags.updated_at: expected timestamp without time zone, found timestamp with time zone",
		"DROP INDEX extensions_tenant_external_id_type_index":                           "table extensions: expected a unique index on (tenant_external_id,type), found none",
		"DROP INDEX feature_flags_name_index; CREATE INDEX ON feature_flags (name)":     "table feature_flags: expected a unique index on (name), found none",
		"ALTER TABLE tenants DROP COLUMN suspend; ALTER TABLE tenants DROP COLUMN name": "column tenants.name: expected text or character varying, found no such column\ncontrol database: column tenants.suspend",
	} {
		t.Run(change, func(t *testing.T) {
			conn := stranger(t, c.config)
			defer conn.Close(t.Context())
			if _, err := conn.PgConn().Exec(t.Context(), "BEGIN; SET search_path TO _realtime; "+change).ReadAll(); err != nil {
				t.Fatal(err)
			}
			if err := checkShape(t.Context(), conn); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
	psql(t, c.config, "ALTER TABLE _realtime.tenants DROP COLUMN suspend")
	if err := c.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "tenants.suspend") {
		t.Errorf("Migrate does not look: %v", err)
	}
}

// The tables that the checks name are those that the migrations make.
func TestEveryColumnIsChecked(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	for _, table := range controlTables() {
		names := strings.Fields(value[string](t, c.config,
			`SELECT string_agg(attname, ' ') FROM pg_attribute WHERE attrelid = ('_realtime.' || $1)::regclass AND attnum > 0`, table.name))
		known := maps.Clone(table.columns)
		for _, name := range names {
			if _, ok := known[name]; !ok && name != "notify_private_alpha" {
				t.Errorf("%s.%s is not checked", table.name, name)
			}
			delete(known, name)
		}
		for name := range known {
			t.Errorf("%s.%s is not made", table.name, name)
		}
	}
}

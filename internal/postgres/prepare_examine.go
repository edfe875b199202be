package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// examineTimeout bounds Examine.
const examineTimeout = 15 * time.Second

// An Examination is what a tenant's database is like, for whoever has to find
// out why something does not work. It judges nothing but Defects.
type Examination struct {
	Server       ExaminedServer
	Login        ExaminedLogin
	Roles        []ExaminedRole // anon, authenticated, service_role
	Publications []ExaminedPublication
	Slots        []ExaminedSlot // those with "realtime" in their names
	Messages     ExaminedMessages
	ClockSkew    time.Duration // the server's clock minus ours, right to half of RoundTrip
	RoundTrip    time.Duration
	Missing      []string  // what Prepare would make
	Obstacle     *Defect   // what Prepare would fail with; nil if nothing
	Defects      []*Defect // as in Report
}

// An ExaminedServer is a PostgreSQL and its limits.
type ExaminedServer struct {
	Version             int    // 150018 is 15.18
	InRecovery          bool   // a replica
	WalLevel            string // must be "logical"
	MaxReplicationSlots int
	ReplicationSlots    int // in use, of all databases
	MaxWalSenders       int
	WalSenders          int // in use
	MaxConnections      int
	ReservedConnections int   // of these, for superusers and such
	Connections         int   // in use by clients, of all databases; walsenders are not among them
	MaxSlotWalKeep      int64 // bytes that a slot may retain; -1 is without end
	TimeZone            string
	TLS                 bool // of this connection
}

// An ExaminedLogin is our own role.
type ExaminedLogin struct {
	Name                                           string
	Superuser, Replication, BypassRLS, CreateRole  bool
	CreateOnDatabase, CreateOnSchema, OwnsMessages bool
}

// An ExaminedRole is one that tokens name.
type ExaminedRole struct {
	Name      string
	Exists    bool
	Open      bool // our own role may become it
	BypassRLS bool
}

// An ExaminedPublication is one of the database.
type ExaminedPublication struct {
	Name                             string
	AllTables                        bool
	Insert, Update, Delete, Truncate bool
	ViaRoot                          bool
	Tables                           []string // "schema.table", partitions by their own names
}

// An ExaminedSlot is a replication slot.
type ExaminedSlot struct {
	Name, Plugin, Database string
	Active, Temporary      bool
	Retained               int64  // bytes of WAL that are kept for it
	WalStatus              string // "reserved", "extended", "unreserved" or "lost"
}

// ExaminedMessages is the table realtime.messages.
type ExaminedMessages struct {
	Exists         bool
	Owner          string
	RowSecurity    bool
	Partitions     []string // names, without schema
	MissingDays    []string // such as "2026-11-25"
	SelectPolicies int      // that count for reading: FOR SELECT and FOR ALL
	InsertPolicies int      // likewise for writing
}

// selectServer counts by what everybody may see of others' connections.
const selectServer = `
SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), current_setting('wal_level'),
  current_setting('max_replication_slots')::int, (SELECT count(*)::int FROM pg_replication_slots),
  current_setting('max_wal_senders')::int, (SELECT count(*)::int FROM pg_stat_replication),
  current_setting('max_connections')::int,
  current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0),
  (SELECT count(*)::int FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL
    AND pid NOT IN (SELECT pid FROM pg_stat_replication)),
  CASE setting::bigint WHEN -1 THEN -1 ELSE setting::bigint * 1024 * 1024 END,
  (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'),
  coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)
FROM pg_settings WHERE name = 'max_slot_wal_keep_size'`

const selectLogin = `
SELECT rolname::text, rolsuper, rolreplication, rolbypassrls, rolcreaterole, false, false, false
FROM pg_roles WHERE rolname = current_user`

const selectRoles = `
SELECT wanted, oid IS NOT NULL, coalesce(pg_has_role(oid,
    CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END), false),
  coalesce(rolbypassrls, false)
FROM unnest($1::text[]) WITH ORDINALITY AS w (wanted, place) LEFT JOIN pg_roles ON rolname = wanted
ORDER BY place`

const selectPublications = `
SELECT p.pubname::text, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot,
  ARRAY (SELECT t.schemaname || '.' || t.tablename FROM pg_publication_tables t WHERE t.pubname = p.pubname ORDER BY 1)
FROM pg_publication p ORDER BY p.pubname`

const selectSlots = `
SELECT slot_name::text, coalesce(plugin, '')::text, coalesce(database, '')::text, active, temporary,
  coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
    restart_lsn), 0)::bigint,
  coalesce(wal_status, '')
FROM pg_replication_slots WHERE strpos(slot_name::text, 'realtime') > 0 ORDER BY slot_name`

const selectPolicies = `
SELECT count(*) FILTER (WHERE polcmd IN ('r', '*'))::int, count(*) FILTER (WHERE polcmd IN ('a', '*'))::int
FROM pg_policy JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'realtime' AND c.relname = 'messages'`

// Examine looks at everything in a tenant's database that we depend on, and
// changes nothing. It needs no rights: what our role may not see is counted as
// absent.
func (d *Database) Examine(ctx context.Context) (Examination, error) {
	ctx, cancel := within(ctx, examineTimeout)
	defer cancel()
	var e Examination
	err := d.policies.AcquireFunc(ctx, func(conn connection) error {
		for _, look := range []func(context.Context, *pgx.Conn) error{
			e.lookAtClock, e.lookAtServer, e.lookAtRoles, e.lookAtReplication, e.lookAtMessages,
		} {
			if err := look(ctx, conn.Conn()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Examination{}, fmt.Errorf("examine the database: %w", failed(err))
	}
	return e, nil
}

func (e *Examination) lookAtClock(ctx context.Context, conn *pgx.Conn) error {
	var theirs time.Time
	start := time.Now()
	// In the simple protocol that is one round trip.
	if err := conn.QueryRow(ctx, "SELECT clock_timestamp()", pgx.QueryExecModeSimpleProtocol).Scan(&theirs); err != nil {
		return err
	}
	e.RoundTrip = time.Since(start)
	e.ClockSkew = theirs.Sub(start.Add(e.RoundTrip / 2))
	return nil
}

func (e *Examination) lookAtServer(ctx context.Context, conn *pgx.Conn) (err error) {
	if e.Server, err = row[ExaminedServer](ctx, conn, selectServer); err != nil {
		return err
	}
	e.Login, err = row[ExaminedLogin](ctx, conn, selectLogin)
	return err
}

func (e *Examination) lookAtRoles(ctx context.Context, conn *pgx.Conn) (err error) {
	rows, _ := conn.Query(ctx, selectRoles, pgx.QueryExecModeExec, publicRoles)
	e.Roles, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ExaminedRole])
	return err
}

func (e *Examination) lookAtReplication(ctx context.Context, conn *pgx.Conn) (err error) {
	rows, _ := conn.Query(ctx, selectPublications, pgx.QueryExecModeExec)
	if e.Publications, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ExaminedPublication]); err != nil {
		return err
	}
	rows, _ = conn.Query(ctx, selectSlots, pgx.QueryExecModeExec)
	e.Slots, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ExaminedSlot])
	return err
}

func (e *Examination) lookAtMessages(ctx context.Context, conn *pgx.Conn) error {
	s, err := look(ctx, conn)
	if err != nil {
		return err
	}
	m := &e.Messages
	m.Exists, m.Owner, m.RowSecurity, m.MissingDays = s.Messages, s.Owner, s.RowSecurity, s.MissingDays
	e.Login.CreateOnDatabase, e.Login.CreateOnSchema, e.Login.OwnsMessages = s.MayCreateSchema, s.MayCreate, s.OwnsMessages
	for _, step := range s.missing() {
		e.Missing = append(e.Missing, step.makes)
	}
	e.Defects, e.Obstacle = s.defects(), s.obstacle()
	rows, _ := conn.Query(ctx, selectPartitions, pgx.QueryExecModeExec)
	partitions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dayPartition])
	if err != nil {
		return err
	}
	for _, p := range partitions {
		m.Partitions = append(m.Partitions, p.Name)
	}
	return conn.QueryRow(ctx, selectPolicies, pgx.QueryExecModeExec).Scan(&m.SelectPolicies, &m.InsertPolicies)
}

// row returns the only row of a query.
func row[T any](ctx context.Context, conn *pgx.Conn, query string) (T, error) {
	rows, _ := conn.Query(ctx, query, pgx.QueryExecModeExec)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
}

package wal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// A witness inserts rows, and sees of which Table they come.
type witness struct {
	*runner
	conn *pgx.Conn // its own session
	id   int
}

// watch returns a witness of the table n, in a database with a few things more.
func watch(t *testing.T) (w *witness, dsn string) {
	t.Helper()
	dsn = postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, `CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('sad'); CREATE TYPE app.pair AS (a int)`,
		`CREATE TABLE app.n (id bigint PRIMARY KEY, t text, m app.mood, p app.pair); GRANT USAGE ON SCHEMA app TO anon`,
		`GRANT USAGE, CREATE ON SCHEMA app TO postgres; ALTER TABLE app.n OWNER TO postgres; GRANT postgres TO supabase_admin`,
		`CREATE TABLE app.other (id int); ALTER TABLE app.other OWNER TO postgres; CREATE POLICY old ON app.n USING (true)`,
		`CREATE FUNCTION app.may() RETURNS boolean LANGUAGE sql AS 'SELECT true'`,
		`ALTER PUBLICATION supabase_realtime ADD TABLE app.n`)
	r := feed(t, dsn)
	r.run(t)
	await[Live](t, r)
	return &witness{runner: r, conn: conn}, dsn
}

// insert inserts a row with a session, which may be within a transaction.
func (w *witness) insert(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	w.id++
	psql(t, conn, fmt.Sprintf("INSERT INTO app.n (id) VALUES (%d)", w.id))
}

func (w *witness) table(t *testing.T) *tutti.Table {
	t.Helper()
	w.insert(t, w.conn)
	return w.next(t).Changes[0].Table
}

// alters are statements that change who may see what of the table n, or what it
// is, each undone by the next or harmless for it.
var alters = []string{
	"ALTER TABLE app.n ENABLE ROW LEVEL SECURITY", "ALTER TABLE app.n FORCE ROW LEVEL SECURITY",
	"ALTER TABLE app.n NO FORCE ROW LEVEL SECURITY", "ALTER TABLE app.n DISABLE ROW LEVEL SECURITY",
	"CREATE POLICY p ON app.n USING (app.may())", "ALTER POLICY p ON app.n TO anon", "ALTER POLICY p ON app.n RENAME TO q",
	"ALTER POLICY q ON app.n USING (false)", "DROP POLICY q ON app.n",
	"GRANT SELECT ON app.n TO anon", "REVOKE SELECT ON app.n FROM anon",
	"GRANT SELECT (id) ON app.n TO anon", "REVOKE SELECT (id) ON app.n FROM anon",
	"GRANT ALL ON ALL TABLES IN SCHEMA app TO authenticated",
	"ALTER TABLE app.n ADD more int", "ALTER TABLE app.n RENAME more TO less", "ALTER TABLE app.n DROP less",
	"ALTER TABLE app.n ALTER t TYPE varchar(10)", "ALTER TABLE app.n REPLICA IDENTITY FULL", "ALTER TABLE app.n REPLICA IDENTITY DEFAULT",
	"ALTER TABLE app.n OWNER TO supabase_admin", "ALTER TABLE app.n OWNER TO postgres", "CREATE INDEX i ON app.n (t)", "DROP INDEX app.i",
	"CREATE TRIGGER r BEFORE UPDATE ON app.n FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
	"DROP TRIGGER r ON app.n",
	"ALTER PUBLICATION supabase_realtime DROP TABLE app.n; ALTER PUBLICATION supabase_realtime ADD TABLE app.n",
	"ALTER PUBLICATION supabase_realtime SET TABLE app.other; ALTER PUBLICATION supabase_realtime SET TABLE app.n",
}

func TestWhatIsAlteredIsANewTable(t *testing.T) {
	t.Parallel()
	w, dsn := watch(t)
	owner := open(t, dsn)
	psql(t, owner, "ALTER PUBLICATION supabase_realtime OWNER TO postgres", "GRANT CREATE ON DATABASE "+quote(owner.Config().Database)+" TO postgres")
	before := w.table(t)
	for _, sql := range alters {
		psql(t, w.conn, sql)
		after := w.table(t)
		if after == before {
			t.Errorf("%s: by the same session, it is the same table", sql)
		}
		before = after
	}
	psql(t, owner, "SET ROLE postgres")
	for _, sql := range alters {
		if strings.Contains(sql, "OWNER TO") { // which postgres may not give, or not take back
			psql(t, owner, "RESET ROLE")
		}
		psql(t, owner, sql, "SET ROLE postgres")
		after := w.table(t)
		if after == before {
			t.Errorf("%s: by another role, it is the same table", sql)
		}
		before = after
	}
	for _, sql := range alters {
		psql(t, w.conn, "BEGIN")
		w.insert(t, w.conn)
		psql(t, w.conn, sql)
		w.insert(t, w.conn)
		psql(t, w.conn, "COMMIT")
		changes := w.next(t).Changes
		if len(changes) != 2 || changes[0].Table == changes[1].Table {
			t.Errorf("%s: within a transaction, it is the same table", sql)
		}
	}
}

// A grant waits for nobody. It may commit while others write.
func TestAGrantWhileATransactionRuns(t *testing.T) {
	t.Parallel()
	w, dsn := watch(t)
	other := open(t, dsn)
	for _, sql := range []string{"GRANT SELECT ON app.n TO anon", "GRANT SELECT (id) ON app.n TO authenticated", "REVOKE ALL ON app.n FROM anon"} {
		before := w.table(t)
		psql(t, w.conn, "BEGIN")
		w.insert(t, w.conn)
		psql(t, other, sql)
		w.insert(t, w.conn)
		psql(t, w.conn, "COMMIT")
		changes := w.next(t).Changes
		if len(changes) != 2 || changes[1].Table == before {
			t.Errorf("%s: the row behind it is of the same table as one before", sql)
		}
	}
}

// What changes a table by way of something else, or not at all, does not show.
func TestWhatIsNotAlteredIsTheSameTable(t *testing.T) {
	t.Parallel()
	w, dsn := watch(t)
	before := w.table(t)
	for _, sql := range []string{
		"SELECT 1", "UPDATE app.n SET t = 'x' WHERE false", "CREATE TABLE app.third (id int)", "GRANT SELECT ON app.other TO anon",
		"ALTER TABLE app.other ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON app.other USING (true)",
		"CREATE OR REPLACE FUNCTION app.may() RETURNS boolean LANGUAGE sql AS 'SELECT false'", "REVOKE EXECUTE ON FUNCTION app.may() FROM public",
		"CREATE ROLE member", "GRANT anon TO member", "ALTER ROLE member BYPASSRLS", "REVOKE anon FROM member", "DROP ROLE member",
		"ALTER TYPE app.mood ADD VALUE 'glad'", "ALTER TYPE app.pair ADD ATTRIBUTE b text",
	} {
		psql(t, w.conn, sql)
		after := w.table(t)
		if after != before {
			t.Errorf("%s: it is another table", sql)
		}
		before = after
	}
	for range 3 {
		conn := open(t, dsn)
		w.insert(t, conn)
		if w.next(t).Changes[0].Table != before {
			t.Error("another session's row is of another table")
		}
	}
}

func TestATableKeepsItsColumns(t *testing.T) {
	t.Parallel()
	w, _ := watch(t)
	first := w.table(t)
	psql(t, w.conn, "ALTER TABLE app.n ADD more int")
	if altered := w.table(t); len(altered.Columns) != 5 || len(first.Columns) != 4 {
		t.Errorf("altered, it has %d columns, and the one before %d", len(altered.Columns), len(first.Columns))
	}
	cut(t, w.conn, w.Slot)
	psql(t, w.conn, "ALTER TABLE app.n DROP more")
	if again := w.table(t); again == first || len(again.Columns) != 4 {
		t.Error("over a new connection it is the table of before the first")
	}
}

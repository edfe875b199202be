package feed

import (
	"fmt"
	"sync"
	"testing"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// A commit that waits for a standby is in the stream, and nobody can see it yet.
func TestCommitsThatCannotBeSeenYet(t *testing.T) {
	t.Parallel()
	_, dsn := postmastertest.Server(t)
	db := open(t, dsn)
	psql(t, db, table, "CREATE FUNCTION mine(owner uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN owner = auth.uid(); END'",
		"CREATE POLICY own ON notes FOR SELECT USING (mine(owner))",
		"ALTER ROLE supabase_admin SET synchronous_commit = local", "SET synchronous_commit = local")
	n := newNode(t, dsn, nil)
	w, all := n.witnessing(ann, notesEntry), n.witnessing("service_role", notesEntry)
	psql(t, db, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
	waiting := open(t, dsn)
	until(t, "the setting counts", func() bool { return value[string](t, waiting, "SHOW synchronous_standby_names") == "nobody" })
	psql(t, waiting, "SET synchronous_commit = on")

	hold := func(sql string) {
		t.Helper()
		var committing sync.WaitGroup
		committing.Go(func() { _, _ = waiting.Exec(t.Context(), sql) })
		defer committing.Wait()
		pid := waiting.PgConn().PID()
		until(t, "the commit waits", func() bool {
			return value[bool](t, db, "SELECT wait_event IS NOT DISTINCT FROM 'SyncRep' FROM pg_stat_activity WHERE pid = $1", pid)
		})
		before := all.heard()
		repeat(1, 300_000_000, func(int) {}) // in which it could be judged too early
		compare(t, "before it can be seen, service_role", all.heard(), before)
		psql(t, db, "SELECT pg_cancel_backend("+fmt.Sprint(pid)+")")
	}
	hold("ALTER TABLE notes ENABLE ROW LEVEL SECURITY; INSERT INTO notes VALUES (1, 'hidden', '" + bob + "')")
	all.reach(t, "INSERT notes 1")
	hold("ALTER TABLE notes ADD n int; INSERT INTO notes VALUES (2, 'mine', '" + ann + "')")
	compare(t, "ann", w.reach(t, "INSERT notes 2"), []string{"INSERT notes 2"})
}

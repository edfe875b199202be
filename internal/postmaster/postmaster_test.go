//go:build unix

package postmaster

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// folderFor returns a new folder that the user postgres may enter, which he may
// not with those of t.TempDir when root runs the tests.
func folderFor(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tutti-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start starts a server that is stopped when the test ends.
func start(t testing.TB, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t testing.TB, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// ask runs statements and returns the value that the last one yields, as text.
func ask(t testing.TB, dsn, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return lastValue(results)
}

func lastValue(results []*pgconn.Result) string {
	rows := results[len(results)-1].Rows
	if len(rows) == 0 || rows[0][0] == nil {
		return "NULL"
	}
	return string(rows[0][0])
}

// pidOf returns the process number of a running server.
func pidOf(t testing.TB, dir string) int {
	t.Helper()
	f, err := readPidFile(filepath.Join(dir, dataName))
	if err != nil {
		t.Fatal(err)
	}
	return f.pid
}

func failsWith(t *testing.T, code string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("error is %v, want code %s", err, code)
	}
	if e.Cause == "" || e.Cure == "" {
		t.Errorf("%q does not say cause and cure", err)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Settings: map[string]string{"work_mem": "1MB", "log_min_messages": "fatal"}})
	for name, tt := range map[string]struct{ dsn, sql, want string }{
		"it answers over TCP":                     {s.DSN("postgres"), "SELECT host(inet_server_addr())", "127.0.0.1"},
		"it answers over the unix socket":         {s.SocketDSN("postgres"), "SELECT host(inet_server_addr())", "NULL"},
		"its superuser is Supabase's":             {s.DSN("postgres"), "SELECT current_user::text", "supabase_admin"},
		"its log can be decoded":                  {s.DSN("postgres"), "SHOW wal_level", "logical"},
		"it has slots for many tests":             {s.DSN("postgres"), "SHOW max_replication_slots", "100"},
		"it has WAL senders for many tests":       {s.DSN("postgres"), "SHOW max_wal_senders", "100"},
		"it takes many connections":               {s.DSN("postgres"), "SHOW max_connections", "200"},
		"it listens on this machine only":         {s.DSN("postgres"), "SHOW listen_addresses", "127.0.0.1"},
		"it speaks UTF-8":                         {s.DSN("postgres"), "SHOW server_encoding", "UTF8"},
		"it knows capital letters of Unicode":     {s.DSN("postgres"), "SELECT upper('ä')", "Ä"},
		"a throwaway one does not wait for disks": {s.DSN("postgres"), "SHOW fsync", "off"},
		"a setting can be given":                  {s.DSN("postgres"), "SHOW work_mem", "1MB"},
		"a setting we live by stays":              {s.DSN("postgres"), "SHOW log_min_messages", "warning"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ask(t, tt.dsn, tt.sql); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.sql, got, tt.want)
			}
		})
	}
	t.Run("nobody gets in without the password", func(t *testing.T) {
		t.Parallel()
		for _, dsn := range []string{s.DSN("postgres"), s.SocketDSN("postgres")} {
			_, err := pgx.Connect(t.Context(), strings.Replace(dsn, s.Password(), "wrong", 1))
			if err == nil || !strings.Contains(err.Error(), "28P01") {
				t.Errorf("error is %v, want SQLSTATE 28P01", err)
			}
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	dir, pid := s.folder.dir, pidOf(t, s.folder.dir)
	done := s.Done()
	stop(t, s)
	<-done
	if serves(pid, s.folder.data()) {
		t.Error("PostgreSQL still runs")
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary folder is still there (%v)", err)
	}
	stop(t, s) // once more does nothing
	if err := s.Restart(t.Context()); err == nil {
		t.Error("it starts again after it was stopped for good")
	}
}

func TestStopDoesNotWaitForClients(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"of a temporary one": {},
		"of one for good":    {Dir: folderFor(t), Throwaway: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c)
			conn, err := pgx.Connect(t.Context(), s.DSN("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			if _, err := conn.Exec(t.Context(), "BEGIN"); err != nil {
				t.Fatal(err)
			}
			stop(t, s)
		})
	}
}

func TestSecondStart(t *testing.T) {
	dir := folderFor(t) // alone, not parallel: it is measured
	began := time.Now()
	first := start(t, Config{Dir: dir})
	t.Logf("first start: %v", time.Since(began))
	ask(t, first.DSN("postgres"), "CREATE TABLE kept AS SELECT 'x' AS v; SELECT v FROM kept")
	stop(t, first)
	var second *Server
	best := time.Hour // of three, for the machine may be busy with other tests
	for range 3 {
		if second != nil {
			stop(t, second)
		}
		began = time.Now()
		second = start(t, Config{Dir: dir, Port: first.Port()})
		best = min(best, time.Since(began))
	}
	t.Logf("second start: %v", best)
	if best > 3*time.Second {
		t.Errorf("a second start took %v, want less than 3 s", best)
	}
	if got := ask(t, first.DSN("postgres"), "SELECT v FROM kept"); got != "x" {
		t.Errorf("the data is %q, want x", got)
	}
	if got := ask(t, second.DSN("postgres"), "SHOW fsync"); got != "on" {
		t.Errorf("fsync is %s for data that is to stay", got)
	}
	info, err := os.Stat(filepath.Join(dir, passwordName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password's file has mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	dsn := s.DSN("postgres")
	ask(t, dsn, "CREATE TABLE kept AS SELECT 'x' AS v; SELECT v FROM kept")
	if err := s.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
		conn.Close(t.Context())
		t.Error("it answers after it was killed")
	}
	for _, state := range []string{"dead", "running"} {
		if err := s.Restart(t.Context()); err != nil {
			t.Fatalf("restart a %s one: %v", state, err)
		}
		if got := ask(t, dsn, "SELECT v FROM kept"); got != "x" {
			t.Errorf("after the restart of a %s one the data is %q, want x", state, got)
		}
	}
}

func TestStartThatFails(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", Host+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	used := start(t, Config{Dir: folderFor(t), Throwaway: true})
	other := folderFor(t)
	write(t, filepath.Join(other, dataName, "PG_VERSION"), "9.6\n")
	another := folderFor(t)
	write(t, filepath.Join(another, dataName, "PG_VERSION"), "9.6\n")
	for name, tt := range map[string]struct {
		config Config
		code   string
	}{
		"somebody listens on the port":         {Config{Port: taken.Addr().(*net.TCPAddr).Port}, PortInUse},
		"the folder is in use":                 {Config{Dir: used.folder.dir}, FolderInUse},
		"the named folder has no programs":     {Config{Bin: t.TempDir()}, PostgresVersion},
		"the data is of another version":       {Config{Dir: another, Bin: used.programs.bin}, PostgresVersion},
		"no programs fit, nor can be fetched":  {Config{Dir: other}, PostgresMissing},
		"PostgreSQL does not accept a setting": {Config{Settings: map[string]string{"work_mem": "much"}}, PostgresFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Start(t.Context(), tt.config)
			failsWith(t, tt.code, err)
			t.Log(err)
		})
	}
}

func TestStartAsRootInAFolderClosedToOthers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only for root")
	}
	_, err := Start(t.Context(), Config{Dir: filepath.Join(folderFor(t), "closed")})
	failsWith(t, PostgresUser, err)
	t.Log(err)
}

func TestStartThatIsCancelled(t *testing.T) {
	t.Parallel()
	dir := folderFor(t)
	for _, after := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		s, err := Start(ctx, Config{Dir: dir, Throwaway: true})
		cancel()
		if err == nil {
			stop(t, s)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", after, err)
		}
	}
	start(t, Config{Dir: dir, Throwaway: true})
}

func TestSocketsOfALongPath(t *testing.T) {
	t.Parallel()
	parent := folderFor(t)
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Dir: filepath.Join(parent, strings.Repeat("long", 30)), Throwaway: true})
	ask(t, s.SocketDSN("postgres"), "SELECT 'x'")
	stop(t, s)
	if _, err := os.Stat(s.Sockets()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the socket is still there (%v)", err)
	}
}

func TestPortsAreNotSharedByManyServers(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 3 {
		s := start(t, Config{})
		if seen[s.Port()] {
			t.Errorf("port %d twice", s.Port())
		}
		seen[s.Port()] = true
	}
}

func TestStartAndStopManyTimes(t *testing.T) {
	t.Parallel()
	dir := folderFor(t)
	for range 3 {
		s := start(t, Config{Dir: dir, Throwaway: true})
		ask(t, s.DSN("postgres"), "SELECT 'x'")
		stop(t, s)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkStart(b *testing.B) {
	for name, c := range map[string]Config{
		"temporary": {},
		"second":    {Dir: folderFor(b)},
	} {
		b.Run(name, func(b *testing.B) {
			if c.Dir != "" {
				stop(b, start(b, c))
			}
			for b.Loop() {
				s := start(b, c)
				b.StopTimer()
				stop(b, s)
				b.StartTimer()
			}
		})
	}
}

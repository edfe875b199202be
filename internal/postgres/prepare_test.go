package postgres

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// A messagesPlace is a tenant's database, seen by its superuser and by us.
type messagesPlace struct {
	*Database
	dsn   string
	super *pgx.Conn
}

// freshMessages returns a database that has nothing of ours. We log in as its
// superuser.
func freshMessages(t testing.TB) *messagesPlace {
	t.Helper()
	return messagesAt(t, postmastertest.Database(t))
}

func messagesAt(t testing.TB, dsn string) *messagesPlace {
	t.Helper()
	super, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { super.Close(context.Background()) })
	return &messagesPlace{openMessages(t, super.Config(), "", 4), dsn, super}
}

// openMessages opens a database as a role with the password "secret", or else as
// the superuser.
func openMessages(t testing.TB, place *pgx.ConnConfig, role string, pool int) *Database {
	t.Helper()
	settings := tutti.Database{
		Host: place.Host, Port: place.Port, Name: place.Database, User: place.User, Password: place.Password, Pool: pool,
	}
	if role != "" {
		settings.User, settings.Password = role, "secret"
	}
	d, err := OpenDatabase(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// preparedMessages returns a database with all that Prepare makes.
func preparedMessages(t testing.TB) *messagesPlace {
	t.Helper()
	p := freshMessages(t)
	p.prepare(t)
	return p
}

func (p *messagesPlace) prepare(t testing.TB) Report {
	t.Helper()
	report, err := p.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// as returns the same database for a role of its own, whom the statements grant
// something: LOGIN stands for it.
func (p *messagesPlace) as(t testing.TB, attributes, statements string) (login string, d *Database) {
	t.Helper()
	login = "login_" + strings.ReplaceAll(newID(), "-", "")
	database := pgx.Identifier{p.super.Config().Database}.Sanitize()
	p.exec(t, "CREATE ROLE "+login+" LOGIN PASSWORD 'secret' "+attributes)
	p.exec(t, strings.NewReplacer("LOGIN", login, "DATABASE_NAME", database).Replace(statements))
	return login, openMessages(t, p.super.Config(), login, 2)
}

// exec runs statements as the superuser.
func (p *messagesPlace) exec(t testing.TB, statements string) {
	t.Helper()
	if _, err := p.super.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// messagesValue returns the one value of a query by the superuser.
func messagesValue[T any](t testing.TB, p *messagesPlace, query string, args ...any) (v T) {
	t.Helper()
	if err := p.super.QueryRow(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

const minimumRights = "GRANT CREATE ON DATABASE DATABASE_NAME TO LOGIN; GRANT anon, authenticated, service_role TO LOGIN"

func TestPrepareMakesAllOfIt(t *testing.T) {
	t.Parallel()
	for name, minimum := range map[string]bool{"as a superuser": false, "as a role with no more rights than it takes": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := freshMessages(t)
			if minimum {
				_, p.Database = p.as(t, "REPLICATION", minimumRights)
			}
			report := p.prepare(t)
			if len(report.Made) != 9 || len(report.Defects) != 0 {
				t.Errorf("it made %q, and says %v", report.Made, report.Defects)
			}
			if again := p.prepare(t); len(again.Made) != 0 {
				t.Errorf("the second time it made %q", again.Made)
			}
			columns := messagesValue[string](t, p, `SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum)
				FROM pg_attribute WHERE attrelid = 'realtime.messages'::regclass AND attnum > 0`)
			want := strings.Join(slices.Concat(messagesColumns, []string{binaryPayload}), ", ")
			if columns != want {
				t.Errorf("columns %s", columns)
			}
			grants := messagesValue[string](t, p, `SELECT string_agg(format('%s %s', grantee, privilege_type), ', ' ORDER BY grantee, privilege_type)
				FROM information_schema.role_table_grants WHERE table_schema = 'realtime' AND grantee IN ('anon', 'service_role', 'PUBLIC')`)
			if grants != "anon INSERT, anon SELECT, anon UPDATE, service_role INSERT, service_role SELECT, service_role UPDATE" {
				t.Errorf("grants %s", grants)
			}
			leaves := messagesValue[int](t, p, `SELECT count(*) FROM pg_publication_tables
				WHERE pubname = $1 AND tablename ~ '^messages_\d{4}_\d\d_\d\d$'`, MessagesPublication)
			if leaves != 5 {
				t.Errorf("%d partitions are published under their own names", leaves)
			}
		})
	}
}

func TestSeveralNodesPrepareAtOnce(t *testing.T) {
	t.Parallel()
	p := freshMessages(t)
	_, d := p.as(t, "", minimumRights)
	var wg sync.WaitGroup
	made := make([]int, 6)
	for i := range made {
		wg.Go(func() {
			node := openMessages(t, p.super.Config(), d.settings.User, 1)
			report, err := node.Prepare(t.Context())
			if err != nil {
				t.Error(err)
			}
			made[i] = len(report.Made)
		})
	}
	wg.Wait()
	slices.Sort(made)
	if !slices.Equal(made, []int{0, 0, 0, 0, 0, 9}) {
		t.Errorf("they made %v things", made)
	}
}

const messagesSnapshot = `SELECT string_agg(line, E'\n' ORDER BY line) FROM (
  SELECT 'table ' || relname || ' ' || relowner::regrole || ' ' || coalesce(relacl::text, '') || ' ' || relrowsecurity || ' ' || oid FROM pg_class
    WHERE relnamespace = 'realtime'::regnamespace AND relname !~ '^messages_20[^2]' AND NOT relispartition
  UNION ALL SELECT 'function ' || proname || ' ' || proowner::regrole || prosrc FROM pg_proc
    WHERE pronamespace = 'realtime'::regnamespace AND proname NOT IN ('send_binary', 'broadcast_changes')
  UNION ALL SELECT 'policy ' || polname FROM pg_policy
  UNION ALL SELECT 'version ' || version FROM realtime.schema_migrations
  UNION ALL SELECT 'subscription ' || subscription_id FROM realtime.subscription
  UNION ALL SELECT 'message ' || id FROM realtime.messages
  UNION ALL SELECT 'schema ' || nspname || nspowner::regrole || nspacl::text FROM pg_namespace WHERE nspname = 'realtime'
) AS all_of_it (line)`

func TestPrepareLeavesTheReferencesDatabaseAsItIs(t *testing.T) {
	t.Parallel()
	for name, rights := range map[string]string{
		"as a superuser": "",
		"as a role that has the owner's rights": "GRANT CREATE ON DATABASE DATABASE_NAME TO LOGIN; " +
			"GRANT supabase_realtime_admin, anon, authenticated, service_role TO LOGIN",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := freshMessages(t)
			p.load(t, "testdata/reference_messages.sql")
			before := messagesValue[string](t, p, messagesSnapshot)
			if rights != "" {
				_, p.Database = p.as(t, "", rights)
			}
			report := p.prepare(t)
			want := []string{
				"function send_binary(bytea, text, text, boolean)",
				"function broadcast_changes(text, text, text, text, text, record, record, text)",
				"publication " + MessagesPublication, "5 partitions of messages",
			}
			if !slices.Equal(report.Made, want) || len(report.Defects) != 0 {
				t.Errorf("it made %q, and says %v", report.Made, report.Defects)
			}
			if after := messagesValue[string](t, p, messagesSnapshot); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			owners := messagesValue[string](t, p, `SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class WHERE relispartition AND relkind = 'r'`)
			if owners != "supabase_realtime_admin" {
				t.Errorf("partitions belong to %s", owners)
			}
			p.ask(t, Asker{Topic: "room", Role: "authenticated"}, Permission{true, true}, Permission{})
			p.ask(t, Asker{Topic: "other", Role: "authenticated"}, Permission{}, Permission{})
		})
	}
}

func (p *messagesPlace) load(t testing.TB, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p.exec(t, string(text))
}

func TestPrepareAddsWhatAnOlderReferenceLacks(t *testing.T) {
	t.Parallel()
	p := freshMessages(t)
	p.load(t, "testdata/reference_messages.sql")
	p.exec(t, "ALTER TABLE realtime.messages DROP COLUMN binary_payload; DROP INDEX realtime.messages_inserted_at_topic_index")
	report := p.prepare(t)
	if !slices.Contains(report.Made, "column binary_payload of messages") {
		t.Errorf("it made %q", report.Made)
	}
	if len(report.Defects) != 1 || report.Defects[0].Code != ReplayIndexMissing {
		t.Errorf("it says %v", report.Defects)
	}
	p.exec(t, "SELECT realtime.send_binary('\\xff', 'e', 'room')")
	if n := messagesValue[int](t, p, "SELECT count(*) FROM realtime.messages WHERE binary_payload = '\\xff'"); n != 1 {
		t.Errorf("%d binary messages", n)
	}
}

func TestWhatPrepareCannotDoHasACure(t *testing.T) {
	t.Parallel()
	const reference = "testdata/reference_messages.sql"
	for name, tt := range map[string]struct {
		file, ready  string // to run as superuser before
		rights, code string
		cured        bool // running the cure as it stands makes Prepare work
	}{
		"no right to make a schema": {code: CreateOnDatabaseMissing, cured: true},
		"a schema of somebody else": {
			ready:  "CREATE SCHEMA realtime",
			rights: minimumRights, code: SchemaRightsMissing, cured: true,
		},
		"no right to make a publication": {
			ready:  "CREATE SCHEMA realtime",
			rights: "GRANT CREATE, USAGE ON SCHEMA realtime TO LOGIN", code: CreateOnDatabaseMissing, cured: true,
		},
		"messages of somebody else": {
			file: reference, rights: minimumRights + "; GRANT CREATE, USAGE ON SCHEMA realtime TO LOGIN; GRANT SELECT, INSERT ON realtime.messages TO LOGIN",
			code: MessagesNotOwned,
		},
		"messages that may not be read": {
			file: reference, rights: minimumRights + "; REVOKE anon, authenticated, service_role FROM LOGIN; GRANT CREATE, USAGE ON SCHEMA realtime TO LOGIN",
			code: MessagesRightsMissing,
		},
		"messages with policies for their owner too": {
			file: reference, ready: "ALTER TABLE realtime.messages FORCE ROW LEVEL SECURITY",
			rights: minimumRights + "; GRANT supabase_realtime_admin TO LOGIN", code: SubjectToPolicies,
		},
		"a table of that name which is something else": {
			ready: "CREATE SCHEMA realtime; CREATE TABLE realtime.messages (id int)", rights: minimumRights + "; GRANT USAGE, CREATE ON SCHEMA realtime TO LOGIN",
			code: MessagesUnusable,
		},
		"a publication of somebody else": {
			file: reference, ready: "CREATE PUBLICATION " + MessagesPublication,
			rights: minimumRights + "; GRANT supabase_realtime_admin TO LOGIN", code: PublicationIncomplete,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := freshMessages(t)
			if tt.file != "" {
				p.load(t, tt.file)
			}
			p.exec(t, tt.ready)
			_, p.Database = p.as(t, "", tt.rights)
			objects := messagesValue[int](t, p, "SELECT count(*) FROM pg_class")
			report, err := p.Prepare(t.Context())
			defect, ok := errors.AsType[*Defect](err)
			if !ok || defect.Code != tt.code || defect.Cure == "" {
				t.Fatalf("it says %v", err)
			}
			if now := messagesValue[int](t, p, "SELECT count(*) FROM pg_class"); now != objects || report.Made != nil {
				t.Errorf("it made %q, of %d relations %d", report.Made, objects, now)
			}
			if tt.cured {
				p.exec(t, defect.Cure)
				p.prepare(t)
			}
		})
	}
}

func TestRolesThatWeMayNotBecome(t *testing.T) {
	t.Parallel()
	p := freshMessages(t)
	_, p.Database = p.as(t, "", "GRANT CREATE ON DATABASE DATABASE_NAME TO LOGIN; GRANT anon TO LOGIN")
	defects := p.prepare(t).Defects
	if len(defects) != 2 || defects[0].Code != RoleClosed || !strings.Contains(defects[0].Cure, `GRANT "authenticated" TO`) {
		t.Fatalf("it says %v", defects)
	}
	p.exec(t, "CREATE POLICY all_of_it ON realtime.messages USING (true)")
	p.ask(t, Asker{Topic: "room", Role: "anon"}, Permission{true, true}, Permission{true, true})
	if _, err := p.MayRead(t.Context(), Asker{Topic: "room", Role: "authenticated"}, true); !refusedWith(err, tutti.RlsPolicyError) {
		t.Errorf("as authenticated: %v", err)
	}
	if _, err := p.MayWrite(t.Context(), Asker{Topic: "room", Role: "authenticated"}, true); !refusedWith(err, tutti.RlsPolicyError) {
		t.Errorf("as authenticated: %v", err)
	}
	p.exec(t, defects[0].Cure+";"+defects[1].Cure)
	if again := p.prepare(t).Defects; len(again) != 0 {
		t.Errorf("then it says %v", again)
	}
}

func TestRolesThatAreMissing(t *testing.T) {
	t.Parallel()
	_, dsn := postmastertest.Server(t)
	p := messagesAt(t, dsn)
	p.exec(t, "DROP OWNED BY anon, service_role; DROP ROLE anon, service_role")
	_, p.Database = p.as(t, "", "GRANT CREATE ON DATABASE DATABASE_NAME TO LOGIN; GRANT authenticated TO LOGIN")
	report := p.prepare(t)
	if len(report.Made) != 9 || len(report.Defects) != 2 || report.Defects[0].Code != RoleMissing {
		t.Fatalf("it made %q, and says %v", report.Made, report.Defects)
	}
	p.exec(t, report.Defects[0].Cure+";"+report.Defects[1].Cure)
	if report = p.prepare(t); !slices.Equal(report.Made, []string{"grants"}) || len(report.Defects) != 0 {
		t.Errorf("then it made %q, and says %v", report.Made, report.Defects)
	}
	p.exec(t, "CREATE POLICY all_of_it ON realtime.messages USING (true)")
	p.ask(t, Asker{Topic: "room", Role: "anon"}, Permission{true, true}, Permission{true, true})
	p.exec(t, "REVOKE INSERT ON realtime.messages FROM anon")
	if report = p.prepare(t); len(report.Made) != 0 {
		t.Errorf("what somebody took away it made again: %q", report.Made)
	}
}

func TestADatabaseThatIsDownIsNotPrepared(t *testing.T) {
	t.Parallel()
	server, dsn := postmastertest.Server(t)
	p := messagesAt(t, dsn)
	p.prepare(t)
	p.exec(t, "CREATE POLICY all_of_it ON realtime.messages USING (true)")
	asker := Asker{Topic: "room", Role: "anon"}
	p.ask(t, asker, Permission{true, true}, Permission{true, true})
	if err := server.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Prepare(t.Context()); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("Prepare says %v", err)
	}
	if _, err := p.MayRead(t.Context(), asker, true); !refusedWith(err, tutti.UnableToConnectToProject) || !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("MayRead says %v", err)
	}
	if _, err := p.Replay(t.Context(), "room", time.Time{}, 1); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("Replay says %v", err)
	}
	if _, err := p.Examine(t.Context()); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("Examine says %v", err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.super = messagesAt(t, dsn).super
	p.ask(t, asker, Permission{true, true}, Permission{true, true})
}

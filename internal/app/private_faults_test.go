package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// walsender returns the process that sends the server the changes, "" for none.
func (c *console) walsender() string {
	return c.value(`SELECT coalesce(max(active_pid)::text, '') FROM pg_replication_slots WHERE database = current_database()`)
}

// TestNoMessageIsLostWhileTheFeedReconnects terminates the walsender again and
// again, while rows are written all the time.
func TestNoMessageIsLostWhileTheFeedReconnects(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, nil, func(s *script) {
		db, writer := consoleOf(t, dsn), consoleOf(t, dsn)
		ann := s.enter("ann", service, "2.0.0")
		ann.mustJoin("t", privately)
		ctx, stop := context.WithCancel(t.Context())
		wrote := make(chan int)
		go func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				if _, err := writer.conn.Exec(t.Context(), `SELECT realtime.send(jsonb_build_object('n', $1::int), 'e', 't')`, n); err != nil {
					t.Error(err)
					break
				}
			}
			wrote <- n
		}()
		for range 3 {
			var pid string
			eventuallyTrue(t, "the feed is there", func() bool { pid = db.walsender(); return pid != "" })
			db.do(`SELECT pg_terminate_backend($1::text::int)`, pid)
			eventuallyTrue(t, "the feed is back", func() bool { now := db.walsender(); return now != "" && now != pid })
		}
		stop()
		count := <-wrote
		db.do(`SELECT realtime.send('{}', 'end', 't')`)
		got := ann.numbers()
		for i, n := range got {
			if i != n {
				t.Fatalf("message %d has the number %d", i, n)
			}
		}
		if len(got) != count {
			t.Errorf("%d messages arrived of %d", len(got), count)
		}
	})
}

// TestPrivateChannelsWhileTheDatabaseIsDown kills it while clients are there.
func TestPrivateChannelsWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	server, dsn := postmastertest.Server(t)
	withDatabase(t, dsn, nil, func(s *script) {
		const config = `{"private":%t,"broadcast":{"ack":true,"replication_ready":true}}`
		ann, bob, cat := s.enter("ann", service, "2.0.0"), s.enter("bob", service, "2.0.0"), s.enter("cat", service, "2.0.0")
		for private, pair := range map[bool][]*speaker{true: {ann, bob}, false: {cat, s.enter("dan", service, "2.0.0")}} {
			for _, c := range pair {
				c.mustJoin("t", fmt.Sprintf(config, private))
			}
		}
		dan, fay := s.client("dan"), s.enter("fay", service, "2.0.0")
		fay.mustJoin("t", privately)
		speaks := func(from, to *speaker, what string) {
			from.push("realtime:t", "broadcast", "b", `{"type":"broadcast","event":"`+what+`","payload":{}}`)
			from.hearUntil("reply b ok")
			if got := to.hear(); !slices.Equal(got, []string{"broadcast " + what}) {
				t.Errorf("%s hears %q of %s, want %s", to.name, got, from.name, what)
			}
		}
		speaks(ann, bob, "before")
		fay.hear()
		if err := server.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		speaks(cat, dan, "public while it is down")
		speaks(ann, bob, "by who was known to be allowed")
		dan.push("realtime:t", "access_token", "a", `{"access_token":"`+s.mint(service)+`"}`)
		fay.push("realtime:t", "access_token", "a", `{"access_token":"`+s.mint(service)+`"}`)
		fay.hearUntil("system Realtime was unable to connect to the project database")
		fay.hearUntil("phx_close")
		eve := s.enter("eve", service, "2.0.0")
		const away = "error UnableToConnectToProject: Realtime was unable to connect to the project database"
		for range 3 {
			if got := eve.joinWith("u", `{"private":true}`); got != away {
				t.Errorf("a private join: %s", got)
			}
		}
		if got := eve.joinWith("u", `{"private":false}`); got != "ok" {
			t.Errorf("a public join: %s", got)
		}
		for path, want := range map[string]string{
			"/api/broadcast/t/events/e?private=true": `422 {"message":"Tenant database unavailable"}`,
			"/api/broadcast/v/events/e":              `202 `,
		} {
			status, text := s.rest(path, "application/json", `{}`, s.mint(service), "")
			if got := fmt.Sprint(status, " ", strings.TrimSpace(text)); got != want {
				t.Errorf("%s: got %s, want %s", path, got, want)
			}
		}
		// What this client may write was not asked yet: nobody hears of it.
		bob.push("realtime:t", "broadcast", "b", `{"type":"broadcast","event":"lost","payload":{}}`)
		bob.push("realtime:t", "presence", "p", `{"event":"track","payload":{}}`)
		bob.hearUntil("reply p error")
		if got := ann.hear(); len(got) > 0 {
			t.Errorf("ann hears %q", got)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventuallyTrue(t, "private joins work again", func() bool { return eve.joinWith("u", `{"private":true}`) == "ok" })
		speaks(bob, ann, "after")
		db := consoleOf(t, dsn)
		db.do(`SELECT realtime.send('{}', 'sql', 't')`)
		db.do(`SELECT realtime.send('{}', 'sql', 't', false)`)
		for _, c := range []*speaker{ann, bob, cat, dan} {
			if before, _ := c.hearUntil("cast sql"); len(before) > 0 {
				t.Errorf("%s hears %q before", c.name, summaries(before))
			}
		}
	})
}

// TestAnAnswerIsNeverOlderThanItsQuestion has a policy that waits, so that a right
// can be taken away while somebody is asking for it.
func TestAnAnswerIsNeverOlderThanItsQuestion(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, nil, func(s *script) {
		db := consoleOf(t, dsn)
		host := s.enter("host", service, "2.0.0")
		host.mustJoin("t", `{"private":true,"broadcast":{"ack":true,"replication_ready":true}}`)
		db.do(`
			CREATE TABLE public.rights (who uuid);
			GRANT SELECT ON public.rights TO authenticated;
			INSERT INTO public.rights VALUES ('` + userA + `');
			CREATE FUNCTION public.gate() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT pg_advisory_xact_lock_shared(7) IS NOT NULL';
			CREATE POLICY "p" ON realtime.messages FOR SELECT TO authenticated USING (EXISTS (SELECT FROM public.rights WHERE who = auth.uid()) AND public.gate())`)
		who := identity{role: "authenticated", sub: userA}
		early, late := s.enter("early", who, "2.0.0"), s.enter("late", who, "2.0.0")
		for _, c := range []*speaker{early, late} {
			if got := c.joinWith("t", `{"private":true}`); got != "ok" {
				t.Fatal(got)
			}
		}
		token := s.mint(who) // one for both, so that both ask the same
		renew := func(c *speaker) {
			c.push("realtime:t", "access_token", "a", `{"access_token":"`+token+`"}`)
			c.hear()
		}
		db.do(`SELECT pg_advisory_lock(7)`)
		renew(early)
		eventuallyTrue(t, "the policy waits", func() bool {
			return db.value(`SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == "1"
		})
		db.do(`DELETE FROM public.rights`)
		renew(late)
		host.push("realtime:t", "broadcast", "b", `{"type":"broadcast","event":"meanwhile","payload":{}}`)
		host.hearUntil("reply b ok")
		for _, c := range []*speaker{early, late} {
			if got := c.hear(); len(got) > 0 {
				t.Errorf("before there is an answer %s hears %q", c.name, got)
			}
		}
		db.do(`SELECT pg_advisory_unlock(7)`)
		hears := func(c *speaker, want ...string) {
			var got []string
			eventuallyTrue(t, fmt.Sprintf("%s hears %q", c.name, want), func() bool {
				got = append(got, c.hear()...)
				return len(got) >= len(want)
			})
			if !slices.Equal(got, want) {
				t.Errorf("%s hears %q, want %q", c.name, got, want)
			}
		}
		denied := []string{"system You do not have permissions to read from this Channel topic: t", "phx_close"}
		hears(early, "broadcast meanwhile")
		hears(late, denied...)
		s.reauthorize("topic=t sub=" + userA)
		hears(early, denied...)
	})
}

// TestReadingIsLookedAtNowAndThen takes rights away and tells nobody.
func TestReadingIsLookedAtNowAndThen(t *testing.T) {
	t.Parallel()
	server, dsn := postmastertest.Server(t)
	withDatabase(t, dsn, map[string]any{"recheck_seconds": 1}, func(s *script) {
		host := s.enter("host", service, "2.0.0")
		host.mustJoin("t", `{"private":true,"broadcast":{"ack":true,"replication_ready":true}}`)
		consoleOf(t, dsn).do(allMayAll)
		ann := s.enter("ann", identity{role: "anon"}, "2.0.0")
		if got := ann.joinWith("t", `{"private":true}`); got != "ok" {
			t.Fatal(got)
		}
		if err := server.Kill(t.Context()); err != nil { // which takes a right from nobody
			t.Fatal(err)
		}
		for began := time.Now(); time.Since(began) < 1500*time.Millisecond; {
			if got := ann.hear(); len(got) > 0 {
				t.Fatalf("while it is down she hears %q", got)
			}
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		consoleOf(t, dsn).do(`DROP POLICY "all read" ON realtime.messages`)
		ann.hearUntil("system You do not have permissions to read from this Channel topic: t")
		ann.hearUntil("phx_close")
		host.push("realtime:t", "broadcast", "b", `{"type":"broadcast","event":"after","payload":{}}`)
		host.hearUntil("reply b ok")
		if got := ann.hear(); len(got) > 0 {
			t.Errorf("she hears %q", got)
		}
	})
}

// TestAReplayHasWhatWasHeardBefore has a transaction wait for a standby that does
// not exist: its messages are in the log, and heard, but nobody sees its rows yet.
// Somebody who joins then gets them all the same.
func TestAReplayHasWhatWasHeardBefore(t *testing.T) {
	t.Parallel()
	_, dsn := postmastertest.Server(t)
	db := consoleOf(t, dsn)
	db.do(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = local', current_database()); END $$`)
	db.do(`SET synchronous_commit = local`)
	db.do(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
	db.do(`SELECT pg_reload_conf()`)
	withDatabase(t, dsn, nil, func(s *script) {
		ann := s.enter("ann", service, "2.0.0")
		ann.mustJoin("t", privately)
		writer := consoleOf(t, dsn)
		writer.do(`SET synchronous_commit = on`)
		for i := range 10 { // a replay waits for a tenth of a second only, which a test may miss
			event := fmt.Sprint("event", i)
			committed := make(chan error, 1)
			go func() {
				_, err := writer.conn.Exec(t.Context(), `SELECT realtime.send('{}', $1, 't')`, event)
				committed <- err
			}()
			ann.hearUntil("cast " + event)
			if n := db.value(`SELECT count(*)::text FROM realtime.messages WHERE event = $1`, event); n != "0" {
				t.Fatalf("%s rows can be seen", n)
			}
			late := s.enter(event, service, "2.0.0")
			late.push("realtime:t", "phx_join", "1", `{"config":{"private":true,"broadcast":{"replay":{"since":0,"limit":1}}}}`)
			eventuallyTrue(t, "the replay waits", func() bool {
				return db.value(`SELECT count(*)::text FROM pg_stat_activity
					WHERE state = 'active' AND query LIKE '%virtualtransaction%' AND pid <> pg_backend_pid()`) == "1"
			})
			db.do(`SELECT pg_cancel_backend($1::int)`, int(writer.conn.PgConn().PID()))
			if err := <-committed; err != nil {
				t.Fatal(err)
			}
			late.hearUntil("reply 1 ok")
			if slices.Contains(late.hear(), "broadcast "+event) {
				return
			}
		}
		t.Error("who joins never gets what others have heard before")
	})
}

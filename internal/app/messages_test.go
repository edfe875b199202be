package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

const (
	privately = `{"private":true,"broadcast":{"replication_ready":true}}`
	publicly  = `{"private":false,"broadcast":{"replication_ready":true}}`
)

// message returns what a client reads of a message from the database: its event,
// form, payload and the id of its row.
func (u utterance) message(t testing.TB) string {
	t.Helper()
	var meta struct {
		ID       string
		Replayed bool // such may have the channel's join ref
	}
	if u.cast {
		form := "json"
		if u.binary {
			form = "bytes"
		}
		if err := json.Unmarshal([]byte(u.meta), &meta); err != nil {
			t.Errorf("metadata %q: %v", u.meta, err)
		}
		return fmt.Sprintf("%s %s %s %q", meta.ID, u.Event, form, u.Payload)
	}
	var p struct {
		Event, Type string
		Payload     json.RawMessage
		Meta        json.RawMessage
	}
	err := errors.Join(json.Unmarshal(u.Payload, &p), json.Unmarshal(p.Meta, &meta))
	if err != nil || u.Event != "broadcast" || p.Type != "broadcast" || u.JoinRef != "" && !meta.Replayed || u.Ref != "" {
		t.Errorf("not a message: %+v, %s", u, u.Payload)
	}
	return fmt.Sprintf("%s %s json %q", meta.ID, p.Event, []byte(p.Payload))
}

// messages returns what a client hears before a message "end".
func (c *speaker) messages() (all []string) {
	for {
		u := c.read()
		if u.String() == "cast end" || u.String() == "broadcast end" {
			return all
		}
		all = append(all, u.message(c.script.t))
	}
}

// TestMessagesOfSQLReachClients compares what clients hear with what lies in the
// table.
func TestMessagesOfSQLReachClients(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, nil, func(s *script) {
		db := consoleOf(t, dsn)
		clients := map[string]*speaker{}
		for _, vsn := range []string{"1.0.0", "2.0.0"} {
			for audience, config := range map[string]string{"private": privately, "public": publicly} {
				name := audience + " " + vsn
				clients[name] = s.enter(name, service, vsn)
				clients[name].mustJoin("t", config)
			}
		}
		for _, statement := range []string{
			`SELECT realtime.send('{"n": 1.00, "text": "é \" 𝄞", "big": 12345678901234567890.10}', 'a', 't')`,
			`SELECT realtime.send('{"id": "mine", "n": [1, {"x": null}]}', 'b', 't', true)`,
			`SELECT realtime.send('{}', 'c', 't', false)`,
			`SELECT realtime.send('[1]', 'lost', 't')`,
			`SELECT realtime.send_binary('\x00ff10', 'd', 't')`,
			`SELECT realtime.send_binary('', 'e', 't', false)`,
			`SELECT realtime.send('{}', 'other topic', 'u')`,
			`SELECT realtime.send('{}', E'a "b"\n\u2028é', 't')`,
			`SELECT realtime.send('{}', repeat('x', 300), 't')`, // V2 too gets it as text
			`CREATE TABLE public.notes (id int PRIMARY KEY, body text);
			 CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			   PERFORM realtime.broadcast_changes('t', TG_OP, TG_OP, TG_TABLE_NAME, TG_TABLE_SCHEMA, NEW, OLD); RETURN NULL;
			 END $$;
			 CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON public.notes FOR EACH ROW EXECUTE FUNCTION public.note()`,
			`INSERT INTO public.notes VALUES (1, 'one'), (2, 'two')`,
			`UPDATE public.notes SET body = 'zwei' WHERE id = 2`,
			`DELETE FROM public.notes`,
			`INSERT INTO realtime.messages (topic, extension, event, payload) VALUES ('t', 'broadcast', 'f', '"text"')`,
			`INSERT INTO realtime.messages (topic, extension, event, payload, private) VALUES ('t', 'broadcast', 'g', '[]', true)`,
			`INSERT INTO realtime.messages (topic, extension, event, payload, private) VALUES ('t', 'broadcast', 'h', '1e3', true)`,
			`INSERT INTO realtime.messages (topic, extension, event, payload, private) VALUES ('t', 'presence', 'lost', '{}', true), ('t', 'broadcast', 'lost', NULL, true), ('t', 'broadcast', NULL, '{}', true), ('t', 'broadcast', 'lost', '{}', NULL)`,
			`BEGIN; SELECT realtime.send('{}', 'lost', 't'); ROLLBACK`,
			`BEGIN; SELECT realtime.send('{}', 'kept', 't'); SAVEPOINT a; SELECT realtime.send('{}', 'lost', 't'); ROLLBACK TO a; SELECT realtime.send('{}', 'kept too', 't'); COMMIT`,
			`UPDATE realtime.messages SET payload = '{"changed": true}' WHERE event = 'g'`,
			`DELETE FROM realtime.messages WHERE event = 'lost'`,
		} {
			db.do(statement)
		}
		for private, audience := range map[bool]string{true: "private", false: "public"} {
			var want, json []string
			rows, err := db.conn.Query(t.Context(), `
				SELECT id::text, event, CASE WHEN binary_payload IS NULL THEN 'json' ELSE 'bytes' END,
				  coalesce(binary_payload, convert_to(CASE event WHEN 'g' THEN '[]' ELSE payload::text END, 'UTF8'))
				FROM realtime.messages
				WHERE topic = 't' AND private = $1 AND extension = 'broadcast' AND event IS NOT NULL AND coalesce(payload::text, binary_payload::text) IS NOT NULL
				ORDER BY inserted_at, ctid`, private)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var id, event, form string
				var payload []byte
				if err := rows.Scan(&id, &event, &form, &payload); err != nil {
					t.Fatal(err)
				}
				want = append(want, fmt.Sprintf("%s %s %s %q", id, event, form, payload))
				if form == "json" {
					json = append(json, want[len(want)-1])
				}
			}
			db.do(`SELECT realtime.send('{}', 'end', 't', $1)`, private)
			if got := clients[audience+" 2.0.0"].messages(); !slices.Equal(got, want) {
				t.Errorf("%s: got\n%s\nwant\n%s", audience, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if got := clients[audience+" 1.0.0"].messages(); !slices.Equal(got, json) {
				t.Errorf("%s, version 1: got\n%s\nwant\n%s", audience, strings.Join(got, "\n"), strings.Join(json, "\n"))
			}
			t.Logf("%s: %d messages", audience, len(want))
		}
	})
}

// TestATransactionOfAThousandMessages arrives whole and in order, and nothing of
// it before it is committed.
func TestATransactionOfAThousandMessages(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, nil, func(s *script) {
		db, another := consoleOf(t, dsn), consoleOf(t, dsn)
		v1, v2 := s.enter("v1", service, "1.0.0"), s.enter("v2", service, "2.0.0")
		v1.mustJoin("t", privately)
		v2.mustJoin("t", privately)
		tx, err := db.conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		db.do(`SELECT realtime.send(jsonb_build_object('id', n, 'filler', repeat('x', 300)), 'e', 't') FROM generate_series(0, 999) n ORDER BY n`)
		another.do(`SELECT realtime.send('{}', 'meanwhile', 't')`)
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		db.do(`SELECT realtime.send('{}', 'end', 't')`)
		for _, c := range []*speaker{v1, v2} {
			got := c.messages()
			if len(got) != 1001 || !strings.Contains(got[0], "meanwhile") {
				t.Fatalf("%s hears %d messages, the first is %.200s", c.name, len(got), got[0])
			}
			for i, m := range got[1:] {
				if !strings.Contains(m, fmt.Sprintf(`{\"id\": %d, `, i)) {
					t.Fatalf("%s: message %d is %s", c.name, i, m)
				}
			}
		}
	})
}

// TestMessagesThatAreDroppedAreLogged with the ids of their rows.
func TestMessagesThatAreDroppedAreLogged(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	log := &logbook{}
	withDatabase(t, dsn, nil, func(s *script) {
		s.fields = append(s.fields, "max_payload_size_in_kb: 1", "max_events_per_second: 20")
		s.log = log.handler()
		db := consoleOf(t, dsn)
		ann := s.enter("ann", service, "2.0.0")
		ann.mustJoin("t", privately)
		// The limit is 1,500 bytes.
		const row = `INSERT INTO realtime.messages (topic, extension, event, payload, private) VALUES ('t', 'broadcast', $1, to_jsonb(repeat('x', $2::int)), true) RETURNING id::text`
		fits := db.value(row, "fits", 1400)
		large := db.value(row, "large", 1600)
		long := db.value(`INSERT INTO realtime.messages (topic, extension, event, binary_payload, private) VALUES ('t', 'broadcast', repeat('x', 256), '', true) RETURNING id::text`)
		null := db.value(`INSERT INTO realtime.messages (topic, extension, event, private) VALUES ('t', 'broadcast', 'empty', true) RETURNING id::text`)
		db.value(row, "end", 1)
		if got := ann.messages(); len(got) != 1 || !strings.HasPrefix(got[0], fits) {
			t.Errorf("got %q, want only %s", got, fits)
		}
		for id, reason := range map[string]string{large: "payload_size_exceeded", null: "it lacks", long: "too long"} {
			if !log.says("UnableToBroadcastChanges", id, reason) {
				t.Errorf("the log does not say %s of %s", reason, id)
			}
		}
		// Nobody listens to these, but they count; then the rate is too high.
		db.do(`SELECT realtime.send('{}', 'e', 'elsewhere') FROM generate_series(1, 5000)`)
		eventuallyTrue(t, "a message is too many", func() bool {
			id := db.value(row, "many", 1)
			ann.hear()
			return log.says("UnableToBroadcastChanges", id, "too_many_requests")
		})
	})
}

// TestMessagesThatNobodyWaitedFor are not heard by those who come later, unless
// they ask for the past.
func TestMessagesThatNobodyWaitedFor(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, nil, func(s *script) {
		s.flags = append(s.flags, "--feed-idle=100ms")
		db := consoleOf(t, dsn)
		ann := s.enter("ann", service, "2.0.0")
		ann.mustJoin("t", privately)
		_ = ann.conn.Close()
		eventuallyTrue(t, "the feed has ended", func() bool {
			return db.value(`SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()`) == "0"
		})
		db.do(`SELECT realtime.send('{}', 'missed', 't')`)
		db.do(`SELECT realtime.send('{}', 'missed', 't', false)`)
		bob, cat := s.enter("bob", service, "2.0.0"), s.enter("cat", service, "2.0.0")
		bob.mustJoin("t", publicly)
		got := cat.joinWith("t", `{"private":true,"broadcast":{"replay":{"since":0}}}`)
		db.do(`SELECT realtime.send('{}', 'end', 't')`)
		db.do(`SELECT realtime.send('{}', 'end', 't', false)`)
		if heard := cat.messages(); got != "ok" || len(heard) != 1 || !strings.Contains(heard[0], " missed ") {
			t.Errorf("who asks for the past hears %q, %q", got, heard)
		}
		if heard := bob.messages(); len(heard) != 0 {
			t.Errorf("who does not hears %q", heard)
		}
	})
}

// TestAReplayAndWhatComesMeanwhile has clients join while rows are written: each
// hears the last few, and then all that follow, and nothing twice.
func TestAReplayAndWhatComesMeanwhile(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, map[string]any{"replay_limit": 40}, func(s *script) {
		writer, reader := consoleOf(t, dsn), consoleOf(t, dsn)
		first := s.enter("first", service, "2.0.0")
		first.mustJoin("t", privately)
		_ = first.conn.Close()
		ctx, stop := context.WithCancel(t.Context())
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			for n := 0; ctx.Err() == nil; n += 3 { // three in a transaction, so that they have one time
				if _, err := writer.conn.Exec(t.Context(), `SELECT realtime.send(jsonb_build_object('n', n), 'e', 't') FROM generate_series($1::int, $1 + 2) n`, n); err != nil {
					t.Error(err)
				}
			}
		}()
		eventuallyTrue(t, "there is a past", func() bool { return reader.value(`SELECT (count(*) > 30)::text FROM realtime.messages`) == "true" })
		var joined []*speaker
		for i := range 30 {
			c := s.enter(fmt.Sprint("client", i), service, []string{"2.0.0", "1.0.0"}[i%2])
			if got := c.joinWith("t", `{"private":true,"broadcast":{"replay":{"since":0,"limit":10}}}`); got != "ok" {
				t.Fatal(got)
			}
			joined = append(joined, c)
		}
		stop()
		<-wrote
		writer.do(`SELECT realtime.send('{}', 'end', 't')`)
		total := 0
		for _, c := range joined {
			got := c.numbers()
			for _, part := range [][]int{got[:10], got[10:]} {
				if !slices.IsSorted(part) {
					t.Errorf("%s hears in the wrong order: %v", c.name, part)
				}
			}
			// What was written before the join, and is read from the log after it, comes
			// even where a replay leaves it out.
			slices.Sort(got)
			if got[len(got)-1]-got[0]+1 != len(got) || len(slices.Compact(got)) != len(got) {
				t.Errorf("%s hears %v", c.name, got)
			}
			total += len(got)
		}
		t.Logf("%d messages", total)
	})
}

// numbers returns the numbers in the messages that a client hears before "end".
func (c *speaker) numbers() (all []int) {
	for _, m := range c.messages() {
		n := -1
		_, after, _ := strings.Cut(m, `\"n\": `)
		if _, err := fmt.Sscanf(after, "%d", &n); err != nil {
			c.script.fatalf("%s hears %s", c.name, m)
		}
		all = append(all, n)
	}
	return all
}

// TestReplaysOfADatabase looks at what the parameters of a replay choose.
func TestReplaysOfADatabase(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, map[string]any{"replay_limit": 4}, func(s *script) {
		db := consoleOf(t, dsn)
		s.enter("first", service, "2.0.0").mustJoin("t", privately)
		db.do(`INSERT INTO realtime.messages (topic, extension, event, payload, private, inserted_at)
			SELECT 't', 'broadcast', 'm' || n, '{}', true, timezone('utc', now()) - make_interval(secs => 10 * (7 - n)) FROM generate_series(1, 6) n`)
		db.do(`INSERT INTO realtime.messages (topic, extension, event, payload, private, inserted_at) VALUES
			('t', 'broadcast', 'public', '{}', false, timezone('utc', now())), ('u', 'broadcast', 'other', '{}', true, timezone('utc', now())),
			('t', 'presence', 'presence', '{}', true, timezone('utc', now())), ('t', 'broadcast', 'future', '{}', true, timezone('utc', now()) + interval '1 hour')`)
		db.do(`CREATE POLICY "p" ON realtime.messages FOR SELECT TO anon USING (extension = 'presence')`)
		recent := time.Now().Add(-25 * time.Second).UnixMilli() // between the fourth and the fifth, also when the machine takes its time
		denied := "error Unauthorized: You do not have permissions to read from this Channel topic: t"
		for name, tt := range map[string]struct {
			replay, want string
			who          identity
			before       string
		}{
			"no limit":               {replay: `{"since":0}`, want: "ok m3 m4 m5 m6"},
			"a limit":                {replay: `{"since":0,"limit":2}`, want: "ok m5 m6"},
			"too high a limit":       {replay: `{"since":0,"limit":100}`, want: "ok m3 m4 m5 m6"},
			"too low a limit":        {replay: `{"since":0,"limit":0}`, want: "ok m6"},
			"since":                  {replay: fmt.Sprintf(`{"since":%d}`, recent), want: "ok m5 m6"},
			"since the end of time":  {replay: `{"since":253402300799999}`, want: "ok"},
			"after the end of time":  {replay: `{"since":253402300800000}`, want: "error UnableToReplayMessages: Replay params are not valid"},
			"no since":               {replay: `{"limit":1}`, want: "error UnableToReplayMessages: Replay params are not valid"},
			"who reads no broadcast": {replay: `{"since":0}`, who: identity{role: "anon"}, want: denied},
		} {
			c := s.enter(name, orService(tt.who), "2.0.0")
			got := []string{c.joinWith("t", `{"private":true,"presence":{"enabled":true},"broadcast":{"replay":`+tt.replay+`}}`)}
			for _, text := range c.hear() {
				if event, is := strings.CutPrefix(text, "broadcast "); is {
					got = append(got, event)
				}
			}
			if heard := strings.Join(got, " "); heard != tt.want {
				t.Errorf("%s: got %s, want %s", name, heard, tt.want)
			}
		}
		db.do(`ALTER TABLE realtime.messages RENAME COLUMN event TO incident`)
		c := s.enter("last", service, "2.0.0")
		if got := c.joinWith("t", `{"private":true,"broadcast":{"replay":{"since":0}}}`); got != "error UnableToReplayMessages: Realtime was unable to replay messages" {
			t.Error(got)
		}
	})
}

func orService(who identity) identity {
	if who.role == "" {
		return service
	}
	return who
}

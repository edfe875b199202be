package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A tripwire is a log that panics when a certain message is logged, and passes
// on all others: what is logged of the panic is what the test is about.
type tripwire struct {
	slog.Handler
	on string
}

func (h tripwire) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tripwire{h.Handler.WithAttrs(attrs), h.on}
}

func (h tripwire) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.on {
		panic("a fault that was injected")
	}
	return h.Handler.Handle(ctx, r)
}

// What must not be in the log. A token has its own marker: each begins so.
const (
	markPayload  = "PAYLOAD-OF-SOMEBODY"
	markSecret   = "0SECRET0SECRET0SECRET0SECRET0SECRET0"
	markPassword = "PASSWORD-OF-A-DATABASE"
	markToken    = "eyJ"
)

// A server that logs all it can is taken through all it does, and through what
// can go wrong with it. No secret is in what it logs.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, nil, func(s *script) {
		book := &logbook{}
		s.log = tripwire{NewLog(book, "debug", "json").Handler(), "unknown event"}
		s.flags = append(s.flags, "--dev-secret="+testSecret, "--connect-backoff=1", "--channel-backoff=1")
		spans := collects(t, s)
		db := consoleOf(t, dsn)
		db.do(guarded)
		s.serve()
		s.enter("zoe", service, "2.0.0").mustJoin("prepares", privately)
		db.do(allMayAll)

		s.strangers()
		s.talkers()
		s.rows(db)
		s.callers()
		s.managers(dsn)
		s.panics()

		for _, line := range []string{
			"handshake refused", "dropped a frame", "join refused", "channel joined", "channel shut down", "token refused", "policy failed",
			"tenant managed", "question to a database failed", "connection panicked", "feed is live", "join payload has fields of the wrong type",
		} {
			eventuallyTrue(t, "it is logged: "+line, func() bool { return book.says(`"msg":"` + line) })
		}
		s.end()
		s.stop, s.clients = nil, nil
		for what, text := range map[string]string{"log": book.text.String(), "spans": spans.text()} {
			for _, mark := range []string{markPayload, markSecret, markPassword, markToken, testSecret, metricsSecret} {
				if before, after, found := strings.Cut(text, mark); found {
					t.Errorf("%q is in the %s: %s%s%.200s", mark, what, before[strings.LastIndex(before, "\n")+1:], mark, after)
				}
			}
		}
	})
}

// strangers are not let in.
func (s *script) strangers() {
	forged, err := auth.Mint(markSecret+markSecret, map[string]any{"role": "anon", "exp": 1})
	if err != nil {
		s.fatalf("%v", err)
	}
	for _, key := range []string{forged, forged[:40], markSecret, s.token(map[string]string{"ttl": "-1h"})} {
		conn, head := s.handshake(map[string]string{"query": "vsn=2.0.0&log_level=info&apikey=" + key})
		_ = conn.Close()
		if strings.HasPrefix(head, "HTTP/1.1 101") {
			s.fatalf("the key %s is let in", key)
		}
	}
	conn, _ := s.handshake(map[string]string{"host": "nobody.localhost", "query": "apikey=" + forged})
	_ = conn.Close()
}

// talkers do what clients do, right and wrong.
func (s *script) talkers() {
	s.connect("ann", "query=vsn=2.0.0&log_level=info&apikey="+s.mint(identity{role: "authenticated", sub: "u1"}))
	ann := s.client("ann")
	for _, config := range []string{
		`{}`, `{"private":true,"presence":{"enabled":true,"key":"k"}}`, `{"broadcast":{"ack":"` + markPayload + `"}}`,
	} {
		ann.joinWith("t", config)
	}
	forged, _ := auth.Mint(markSecret+markSecret, map[string]any{"role": "anon"})
	spent := s.token(map[string]string{"ttl": "-1h"})
	for i, token := range []string{forged, spent, forged[:50], markSecret} {
		ann.push(fmt.Sprint("realtime:f", i), "phx_join", "9", `{"config":{"x":"`+markPayload+`"},"access_token":"`+token+`"}`)
		ann.push("realtime:t", "access_token", "8", `{"access_token":"`+token+`"}`)
		ann.joinWith("t", `{"private":true}`)
	}
	ann.push("realtime:t", "broadcast", "2", `{"type":"broadcast","event":"e","payload":{"x":"`+markPayload+`"}}`)
	ann.push("realtime:t", "presence", "3", `{"type":"presence","event":"track","payload":{"x":"`+markPayload+`"}}`)
	ann.push("realtime:nowhere", "broadcast", "4", `{"x":"`+markPayload+`"}`)
	ann.write(websocket.Text, []byte(`["1","5","realtime:t",{"`+markPayload+`":1},{}]`))
	ann.write(websocket.Text, []byte(`{"`+markPayload+`"`))
	ann.write(websocket.Binary, []byte("\x07"+markPayload))
	ann.hear()
}

// rows are heard of, under policies and filters that fail.
func (s *script) rows(db *console) {
	db.do(`CREATE TABLE public.wrong (id int PRIMARY KEY, body text);
ALTER TABLE public.wrong ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION public.cast_it(body text) RETURNS bool LANGUAGE sql VOLATILE AS $$ SELECT body::uuid IS NOT NULL $$;
CREATE POLICY wrong ON public.wrong FOR SELECT TO authenticated USING (public.cast_it(body));
GRANT SELECT ON public.wrong TO authenticated;
ALTER PUBLICATION supabase_realtime ADD TABLE public.wrong`)
	bob := s.enter("bob", identity{role: "authenticated", sub: "u1"}, "2.0.0")
	bob.joinWith("rows", `{"postgres_changes":[{"event":"*","schema":"public","table":"notes"},{"event":"*","schema":"public","table":"wrong"}]}`)
	bob.hearUntil("system Subscribed to PostgreSQL")
	db.do(`INSERT INTO public.wrong VALUES (1, $1)`, markPayload)
	db.do(`INSERT INTO public.notes VALUES (1, 'u1', $1)`, markPayload)
	bob.hearUntil("postgres_changes")
	db.do(`SELECT realtime.send(jsonb_build_object('x', $1::text), 'e', 'rows', false)`, markPayload)
	bob.push("realtime:filters", "phx_join", "7",
		`{"config":{"postgres_changes":[{"event":"*","schema":"public","table":"notes","filter":"id=eq.`+markPayload+`"}]}}`)
	bob.hear()
}

// callers use the broadcast API.
func (s *script) callers() {
	good, bad := s.mint(identity{role: "authenticated", sub: "u1"}), s.token(map[string]string{"secret": markSecret})
	message := `{"messages":[{"topic":"t","event":"e","payload":{"x":"` + markPayload + `"},"private":true}]}`
	for _, token := range []string{good, bad, markSecret} {
		for _, body := range []string{message, `{"messages":"` + markPayload + `"}`, `{"` + markPayload} {
			s.rest("/api/broadcast?apikey="+token, "application/json", body, token, "")
			s.rest("/api/broadcast/t/events/e?private=true;apikey="+token, "application/json", body, token, markPayload)
		}
	}
}

// managers write tenants with secrets, good and bad, one of them with a database
// that refuses its password; clients then find that out.
func (s *script) managers(dsn string) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		s.fatalf("%v", err)
	}
	settings, _ := json.Marshal(map[string]any{
		"db_host": c.Host, "db_port": fmt.Sprint(c.Port), "db_name": c.Database, "db_user": "nobody_of_that_name", "db_password": markPassword,
		"ssl_enforced": false, "region": "eu", "slot_name": "slot_third", "publication": "supabase_realtime",
	})
	for body, want := range map[string]int{
		`{"tenant":{"jwt_secret":"` + markSecret + `","extensions":[{"type":"postgres_cdc_rls","settings":` + string(settings) + `}]}}`: http.StatusCreated,
		`{"tenant":{"jwt_secret":["` + markSecret + `"]}}`: http.StatusUnprocessableEntity,
		`{"tenant":{"jwt_jwks":"` + markSecret + `"}}`:     http.StatusUnprocessableEntity,
		`{"tenant":{"jwt_secret":"` + markSecret:           http.StatusBadRequest,
	} {
		if got := s.operator("PUT", "/api/tenants/third"+fmt.Sprint(want), body); got != want {
			s.fatalf("%s is answered with %d, want %d", body, got, want)
		}
	}
	third := &script{t: s.t, medium: s.medium, clients: s.clients, stop: s.stop, secret: markSecret}
	third.connect("cid", "host=third201.localhost query=vsn=2.0.0&log_level=warning&apikey="+third.token(map[string]string{}))
	if got := third.client("cid").joinWith("t", `{"private":true}`); got == "ok" {
		s.fatalf("cid is let in by a database that nobody can reach")
	}
}

// panics has the server panic with a client's payload at hand.
func (s *script) panics() {
	dan := s.enter("dan", service, "2.0.0")
	dan.joinWith("t", `{}`)
	dan.push("realtime:t", "boom", "2", `{"x":"`+markPayload+`","access_token":"`+s.mint(service)+`"}`)
	dan.closed("1011")
}

// Who opens a connection decides what is logged of it.
func TestAClientsLogLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[string][]string{
		"":        nil,
		"error":   nil,
		"warn":    nil, // as in the reference
		"warning": {"channel shut down", "join refused"},
		"info":    {"channel joined", "channel shut down", "join refused"},
	} {
		t.Run("log_level="+level, func(t *testing.T) {
			t.Parallel()
			run(t, tcp(t), func(s *script) {
				book := &logbook{}
				s.log = NewLog(book, "info", "text").Handler()
				s.flags = append(s.flags, "--channel-backoff=1")
				spent := s.token(map[string]string{"ttl": "-1h"})
				s.connect("ann", "query=vsn=2.0.0&log_level="+level+"&apikey="+s.token(map[string]string{"sub": "u1"}))
				ann := s.client("ann")
				if got := ann.joinWith("t", `{}`); got != "ok" {
					t.Fatal(got)
				}
				ann.push("realtime:u", "phx_join", "9", `{"config":{},"access_token":"`+spent+`"}`)
				for !strings.HasPrefix(ann.read().String(), "reply 9 error InvalidJWTToken") {
				}
				ann.push("realtime:t", "access_token", "2", `{"access_token":"`+spent+`"}`)
				ann.hearUntil("phx_close")
				var got []string
				for _, line := range []string{"channel joined", "channel shut down", "join refused"} {
					if book.says(`msg="`+line+`"`, "external_id=acme", "sub=u1", "exp=", "request_id=", "node=tutti") {
						got = append(got, line)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("logged %v, want %v:\n%s", got, want, book.text.String())
				}
			})
		})
	}
}

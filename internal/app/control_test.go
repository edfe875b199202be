package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/load"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// dbFlags are the flags that make a database the control database.
func dbFlags(t *testing.T, dsn string) []string {
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	return []string{
		"--db-host=" + u.Hostname(), "--db-port=" + u.Port(), "--db-name=" + strings.TrimPrefix(u.Path, "/"),
		"--db-user=" + u.User.Username(), "--db-password=" + password,
		"--db-enc-key=1234567890123456", "--db-enc-key-gcm=12345678901234567890123456789012",
	}
}

// inControl runs a test with a server whose tenants are in a database.
func inControl(t *testing.T, dsn string, test func(*script)) {
	run(t, tcp(t), func(s *script) {
		s.control = true
		s.flags = append(s.flags, dbFlags(t, dsn)...)
		test(s)
	})
}

func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// TestTheEnvironmentOfTheStackIsEnough starts a server with the variables of the
// realtime block in Supabase's docker-compose file and nothing else.
func TestTheEnvironmentOfTheStackIsEnough(t *testing.T) {
	dsn := postmastertest.Database(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	for name, value := range map[string]string{
		"PORT": "4000", "DB_HOST": u.Hostname(), "DB_PORT": u.Port(), "DB_USER": u.User.Username(),
		"DB_PASSWORD": password, "DB_NAME": strings.TrimPrefix(u.Path, "/"),
		"DB_AFTER_CONNECT_QUERY": "SET search_path TO _realtime", "DB_ENC_KEY": "supabaserealtime",
		"API_JWT_SECRET": testSecret, "SECRET_KEY_BASE": "unused", "ERL_AFLAGS": "-proto_dist inet_tcp",
		"DNS_NODES": "''", "RLIMIT_NOFILE": "10000", "APP_NAME": "realtime", "SEED_SELF_HOST": "true",
		"RUN_JANITOR": "true", "METRICS_JWT_SECRET": metricsSecret, "REGION": "local",
		"SELF_HOST_TENANT_NAME": "realtime-dev",
	} {
		t.Setenv(name, value)
	}
	var config Config
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	run(t, tcp(t), func(s *script) {
		s.control = true
		s.eventually("ann connect host=realtime-dev.supabase-realtime")
		s.client("ann").join("a")
		status, body := s.ask(http.MethodGet, "/api/tenants/realtime-dev", "")
		if status != http.StatusOK || !strings.Contains(body, `"external_id":"realtime-dev"`) || strings.Contains(body, password) {
			t.Errorf("%d %s", status, body)
		}
	})
}

// eventually speaks a line that fails until the server has read its tenants.
func (s *script) eventually(line string) {
	s.serve()
	id, _, _ := strings.Cut(strings.SplitN(line, "host=", 2)[1], ".")
	for ctx := s.t.Context(); ; {
		if _, err := s.app.directory.Find(ctx, id); err == nil {
			break
		}
		if ctx.Err() != nil {
			s.fatalf("tenant %s never came", id)
		}
	}
	s.speak(line)
}

// ask calls the management API.
func (s *script) ask(method, path, body string) (int, string) {
	s.serve()
	token, err := auth.Mint(testSecret, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		s.fatalf("%v", err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.medium.listener.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		s.fatalf("%v", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		s.fatalf("%v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.fatalf("%v", err)
	}
	return answer.StatusCode, string(text)
}

// TestTheReferencesTablesAreServed starts a server on tables that the reference
// made, whose secrets lie in both forms.
func TestTheReferencesTablesAreServed(t *testing.T) {
	dsn := postmastertest.Database(t)
	sql, err := os.ReadFile("../postgres/testdata/reference_schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, dsn, string(sql))
	inControl(t, dsn, func(s *script) {
		s.flags = append(s.flags, "--db-enc-write-gcm")
		s.serve()
		for _, id := range []string{"legacy", "gcm"} {
			known, err := s.app.control.Find(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			s.secret = known.JWTSecret
			s.eventually(id + " connect host=" + id + ".localhost")
			s.client(id).join("a")
		}
		// Where that is wished, secrets of the old form are written anew.
		for {
			found, err := s.app.control.ResealAll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if found == 0 {
				break
			}
		}
	})
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var old int
	const count = "SELECT count(*) FROM _realtime.tenants WHERE jwt_secret NOT LIKE 'g1:%' OR gcm_migrated_at IS NULL"
	if err := conn.QueryRow(t.Context(), count).Scan(&old); err != nil || old != 0 {
		t.Errorf("%d tenants have secrets of the old form, %v", old, err)
	}
	var versions int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM _realtime.schema_migrations").Scan(&versions); err != nil || versions != 2 {
		t.Errorf("the reference's own notes: %d, %v", versions, err)
	}
}

// TestAChangeIsInForceOnEveryNode changes a tenant over one node, and by hand,
// and looks at another.
func TestAChangeIsInForceOnEveryNode(t *testing.T) {
	dsn := postmastertest.Database(t)
	inControl(t, dsn, func(one *script) {
		one.flags = append(one.flags, "--dev-secret="+testSecret)
		inControl(t, dsn, func(two *script) {
			two.serve()
			create := `{"tenant":{"jwt_secret":"` + testSecret + `","extensions":[],"max_channels_per_client":1}}`
			for status := 0; status != http.StatusCreated; { // until the tables are there
				if status, _ = one.ask(http.MethodPut, "/api/tenants/acme", create); status >= 500 {
					continue
				} else if status != http.StatusCreated {
					t.Fatalf("create: %d", status)
				}
			}
			two.speak("ann connect")
			two.client("ann").join("a")
			handle, err := two.app.directory.Find(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			one.ask(http.MethodPut, "/api/tenants/acme", `{"tenant":{"max_channels_per_client":2}}`)
			for handle.Tenant().MaxChannelsPerClient != 2 && t.Context().Err() == nil {
				two.client("ann").fence("f")
			}
			heardOf(t, began, "a change over the other node")
			began = time.Now()
			execute(t, dsn, "UPDATE _realtime.tenants SET suspend = true WHERE external_id = 'acme'")
			two.speak(`ann< [null,null,"realtime:a","system",{"extension":"system","message":"Server requested disconnect","status":"ok"}]`)
			two.speak("ann closed 1012")
			heardOf(t, began, "a change by hand")
			two.speak(`ann refused 403 {"error":"Realtime was disabled for this tenant"}`)
		})
	})
}

// heardOf fails when news took so long that the cache had to expire for it. How
// long it takes on a quiet machine is in docs/reliability.md.
func heardOf(t *testing.T, began time.Time, what string) {
	t.Helper()
	const expiry = 30 * time.Second
	took := time.Since(began)
	t.Logf("%s was in force after %v", what, took)
	if took > expiry/2 {
		t.Errorf("%s took %v", what, took)
	}
}

// TestClientsDoNotNoticeThatTheControlDatabaseDies lets a thousand clients chat
// while it is killed and comes back.
func TestClientsDoNotNoticeThatTheControlDatabaseDies(t *testing.T) {
	server, dsn := postmastertest.Server(t)
	inControl(t, dsn, func(s *script) {
		s.flags = append(s.flags, "--seed-self-host", "--dev-tenant=acme", "--dev-secret="+testSecret,
			"--max-users=5000", "--max-events=100000000", "--max-joins=100000")
		s.eventually("ann connect host=acme.localhost")
		s.client("ann").join("a")
		chat := &load.Command{
			Kind: load.Rooms, URL: "http://" + s.medium.listener.Addr().String(), Key: s.token(nil),
			Rooms: 50, Members: 20, Rate: 0.2, Duration: 6 * time.Second, Progress: io.Discard,
		}
		type outcome struct {
			report *load.Report
			err    error
		}
		done := make(chan outcome, 1)
		go func() {
			report, err := chat.Measure(t.Context())
			done <- outcome{report, err}
		}()
		for s.app.sockets.Open() < 500 && t.Context().Err() == nil {
			s.client("ann").fence("f")
		}
		if err := server.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.speak("bob connect host=acme.localhost") // a known tenant
		s.client("bob").join("a")
		s.speak(`eve refused 500 {"error":"Error connecting to Realtime"} host=nobody.localhost`)
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		o := <-done
		if o.err != nil {
			t.Fatal(o.err)
		}
		if m := o.report.Messages; m.Lost != 0 || m.Deliveries == 0 || o.report.Joined != 1000 {
			t.Errorf("joined %d, lost %d of %d: %+v", o.report.Joined, m.Lost, m.Expected, o.report.Failures)
		}
		// It recovers by itself: a tenant that does not exist is known not to.
		for {
			if _, err := s.app.directory.Find(t.Context(), "nobody"); err != nil && strings.Contains(err.Error(), "not found") {
				break
			}
			s.client("ann").fence("f")
		}
		s.speak(`eve refused 404 {"error":"Tenant not found"} host=nobody.localhost`)
	})
}

// TestTenantsNeverHearEachOther lets two tenants with the same topics say
// everything that can be said, in a random order.
func TestTenantsNeverHearEachOther(t *testing.T) {
	overTCP(t, func(s *script) {
		s.unlimited()
		s.flags = append(s.flags, "--max-presence-calls=1000000", "--max-users=1000", "--max-events=10000000",
			"--max-joins=10000", "--max-presence-events=1000000")
		tenants := []string{"acme", "other"}
		for i := range 8 {
			name := fmt.Sprintf("%s%d", tenants[i%2], i)
			s.speak(fmt.Sprintf("%s connect host=%s.localhost", name, tenants[i%2]))
			for n := range 3 {
				s.speak(fmt.Sprintf(`%s> ["%d","%d","realtime:t%d","phx_join",{"config":{"broadcast":{"self":true},"presence":{"enabled":true}}}]`, name, n, n, n))
				s.speak(fmt.Sprintf(`%s< ["%d","%d","realtime:t%d","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}]`, name, n, n, n))
				s.speak(fmt.Sprintf(`%s< ["%d",null,"realtime:t%d","presence_state",{}]`, name, n, n))
			}
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		for i := range 400 {
			at := random.IntN(8)
			tenant, topic := tenants[at%2], random.IntN(3)
			c := s.client(fmt.Sprintf("%s%d", tenant, at))
			mark := fmt.Sprintf(`{"from":"<%s>","n":%d}`, tenant, i)
			switch random.IntN(4) {
			case 0:
				c.send(fmt.Sprintf(`["%d","x","realtime:t%d","broadcast",{"type":"broadcast","event":"e","payload":%s}]`, topic, topic, mark))
			case 1:
				c.send(fmt.Sprintf(`cast %d x realtime:t%d e json %s`, topic, topic, mark))
			case 2:
				c.send(fmt.Sprintf(`["%d","x","realtime:t%d","presence",{"event":"track","payload":%s}]`, topic, topic, mark))
			default:
				s.post(tenant, topic, mark)
			}
		}
		heard := 0
		for _, c := range s.clients {
			_ = c.conn.SetReadDeadline(time.Now().Add(time.Second)) // then its frames end
		}
		for name, c := range s.clients {
			foreign := "<" + tenants[1-strings.Index("acmeother", strings.TrimRight(name, "0123456789"))/4] + ">"
			for f := range c.frames {
				if strings.Contains(string(f.payload), foreign) {
					t.Fatalf("%s hears %s", name, f.payload)
				}
				if strings.Contains(string(f.payload), `"n":`) {
					heard++
				}
			}
		}
		if heard < 1000 {
			t.Errorf("only %d messages were heard", heard)
		}
	})
}

// post sends a broadcast over HTTP, as its tenant.
func (s *script) post(tenant string, topic int, payload string) {
	body := payload
	path := "/api/broadcast/t" + strconv.Itoa(topic) + "/events/e"
	if len(payload)%2 == 0 {
		path = "/api/broadcast"
		text, _ := json.Marshal(map[string]any{"messages": []any{map[string]any{
			"topic": "t" + strconv.Itoa(topic), "event": "e", "payload": json.RawMessage(payload)}}})
		body = string(text)
	}
	conn, err := net.Dial("tcp", s.medium.listener.Addr().String())
	if err != nil {
		s.fatalf("%v", err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s.localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		path, tenant, s.token(nil), len(body), body)
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), " 202 ") {
		s.fatalf("post: %v %s", err, answer)
	}
}

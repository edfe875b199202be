package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

// A whole server is attacked by those who have shown nothing yet, while bob, who
// has, goes on.

// counting makes a server count addresses of loopback, as it does others.
const counting = "--uncounted-addresses=192.0.2.0/24"

// knock asks for a WebSocket with a token and more headers. The connection is the
// caller's when the answer is 101, and closed otherwise.
func (s *script) knock(token string, headers ...string) (conn net.Conn, answer *http.Response, body string) {
	s.serve()
	conn, err := s.medium.dial()
	if err != nil {
		s.fatalf("%v", err)
	}
	request := "GET /socket/websocket?vsn=2.0.0&apikey=" + token + " HTTP/1.1\r\nHost: acme.localhost:4000\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	for _, h := range headers {
		request += h + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		_ = conn.Close()
		return nil, nil, ""
	}
	answer, err = http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		_ = conn.Close()
		return nil, nil, ""
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return conn, answer, ""
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.fatalf("%v", err)
	}
	_ = conn.Close()
	return nil, answer, string(text)
}

// status is the status of a handshake, 0 when there is no answer.
func (s *script) status(token string, headers ...string) int {
	conn, answer, _ := s.knock(token, headers...)
	if answer == nil {
		return 0
	}
	if conn != nil {
		_ = conn.Close()
	}
	return answer.StatusCode
}

func TestPagesOfOtherSitesGetNoWebSocket(t *testing.T) {
	t.Parallel()
	m := tcp(t)
	m.flags = append(m.flags, "--allowed-origins=https://*.example.com,https://localhost")
	run(t, m, func(s *script) {
		s.fields = append(s.fields, `extensions: [{type: origins, settings: {allowed: ["https://a.example.com", "null"]}}]`)
		for name, tt := range map[string]struct {
			origin string
			status int
		}{
			"no page":                            {"", 101},
			"a page of both lists":               {"Origin: https://a.example.com", 101},
			"one of the server's list only":      {"Origin: https://b.example.com", 403},
			"one of the tenant's list only":      {"Origin: null", 403},
			"one of neither":                     {"Origin: https://evil.example", 403},
			"a page of the server":               {"Origin: http://acme.localhost:4000", 101},
			"one that says so and is of another": {"Origin: http://acme.localhost:4000.evil.example", 403},
		} {
			var headers []string
			if tt.origin != "" {
				headers = append(headers, tt.origin)
			}
			conn, answer, body := s.knock(s.token(nil), headers...)
			if answer == nil || answer.StatusCode != tt.status {
				t.Fatalf("%s: got %v", name, answer)
			}
			if conn != nil {
				_ = conn.Close()
				continue
			}
			if !strings.Contains(body, `"code":"OriginNotAllowed"`) || !strings.Contains(body, `"cure":"add the origin to ALLOWED_ORIGINS`) {
				t.Errorf("%s: told %s", name, body)
			}
		}
	})
}

// A guesser is told to wait, without its token being looked at. Others who come
// through the same proxy are not, whatever the guesser writes into its headers.
func TestAGuesserAtTheDoor(t *testing.T) {
	t.Parallel()
	m := tcp(t)
	m.flags = append(m.flags, counting, "--trusted-proxies=127.0.0.1", "--max-bad-tokens-per-minute=20")
	run(t, m, func(s *script) {
		s.connect("bob", "")
		guess := s.token(map[string]string{"secret": "a guess that is long enough to be one"})
		const guesser = "X-Forwarded-For: 203.0.113.9, 198.51.100.7"
		for i := range 20 {
			if status := s.status(guess, guesser); status != 401 {
				t.Fatalf("guess %d is answered %d", i, status)
			}
		}
		began := time.Now()
		_, answer, body := s.knock(s.token(nil), "X-Forwarded-For: 198.51.100.7")
		if answer == nil || answer.StatusCode != 429 || answer.Header.Get("Retry-After") == "" || !strings.Contains(body, "TooManyBadTokens") {
			t.Errorf("answered %v %s", answer, body)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("refused after %v", took)
		}
		if status := s.status(s.token(nil), "X-Forwarded-For: 198.51.100.8"); status != 101 {
			t.Errorf("another client of the proxy is answered %d", status)
		}
		s.client("bob").fence("after")
	})
}

// Who opens connections and never ends a request can have only so many.
func TestSlowConnectionsTakeNoPlaces(t *testing.T) {
	t.Parallel()
	m := tcp(t)
	m.flags = append(m.flags, counting, "--max-pending-per-address=20")
	run(t, m, func(s *script) {
		s.connect("bob", "")
		var slow []net.Conn
		for range 20 {
			conn := s.dial()
			if _, err := io.WriteString(conn, "GET /socket/websocket HTTP/1.1\r\nX-Slow: "); err != nil {
				t.Fatal(err)
			}
			slow = append(slow, conn)
		}
		for range 30 {
			conn := s.dial()
			if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil { // less than a header may take
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("one more may stay: %v", err)
			}
			_ = conn.Close()
		}
		s.client("bob").fence("meanwhile")
		for _, conn := range slow {
			_ = conn.Close()
		}
		s.client("bob").until("the places are free", func() bool { return s.status(s.token(nil)) == 101 })
	})
}

func TestAFullNode(t *testing.T) {
	t.Parallel()
	m := tcp(t)
	m.flags = append(m.flags, "--max-connections=3")
	run(t, m, func(s *script) {
		for _, name := range []string{"ann", "bob", "cleo"} {
			s.connect(name, "")
			s.client(name).fence("in")
		}
		_, answer, body := s.knock(s.token(nil))
		if answer == nil || answer.StatusCode != 503 || answer.Header.Get("Retry-After") != "1" || !strings.Contains(body, `"code":"ServerFull"`) {
			t.Errorf("answered %v %s", answer, body)
		}
		_ = s.client("cleo").conn.Close()
		s.client("bob").until("there is a place", func() bool { return s.status(s.token(nil)) == 101 })
	})
}

// What is secret goes through every door of a server, good and bad, and comes out
// of none: not as a metric, not as a status, not as an answer to somebody else.
func TestSecretsComeOutNowhere(t *testing.T) {
	t.Parallel()
	m := tcp(t)
	const admin, next, password, payload = "the-secret-of-the-admins-of-this", "the-next-secret-of-those-admins", "hunter2-of-the-database", "payload-of-bob-and-ann"
	m.flags = append(m.flags, "--dev-secret="+admin, "--api-jwt-secret-next="+next)
	var log safeBuffer
	run(t, m, func(s *script) {
		s.log = slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
		s.fields = append(s.fields, `extensions: [{type: postgres_cdc_rls, settings: {db_host: 127.0.0.1, db_port: "1", db_name: d, db_user: u, db_password: `+password+`}}]`)
		mint := func(role, secret string) string {
			token, err := auth.Mint(secret, map[string]any{"role": role, "sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		good, bad := mint("anon", testSecret), mint("anon", "somebody-elses-secret-somewhere")
		manager, reader := mint("service_role", admin), mint("service_role", metricsSecret)
		s.connect("bob", "")
		bob := s.client("bob")
		bob.join("room")
		bob.say("room", 1, payload)
		bob.fence("said")
		told := ""
		for _, token := range []string{bad, bad + "x", "%zz", good + "." + good} {
			_, answer, body := s.knock(token)
			told += fmt.Sprint(answer.Header) + body
		}
		ask := func(method, path, token, body string) {
			r, err := http.NewRequestWithContext(t.Context(), method, "http://"+m.listener.Addr().String()+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "acme.localhost"
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json")
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			told += fmt.Sprintln(answer.StatusCode, answer.Header) + string(text)
		}
		message := `{"messages":[{"topic":"room","event":"e","payload":{"x":"` + payload + `"}}]}`
		for _, token := range []string{good, bad, manager, reader} {
			ask("POST", "/api/broadcast", token, message)
			ask("POST", "/api/broadcast/room/events/e?apikey="+token, token, `{"x":"`+payload+`"`)
			for _, path := range []string{"/metrics", "/metrics/eu", "/status", "/api/tenants", "/api/tenants/acme", "/api/tenants/acme/health", "/api/ping", "/nothing/here"} {
				ask("GET", path, token, "")
			}
			ask("PUT", "/api/tenants/"+"acme", token, `{"tenant":{"jwt_secret":7,"extensions":[{"type":"postgres_cdc_rls","settings":{"db_password":"`+password+`"}}]}}`)
		}
		ask("GET", "/metrics", reader, "")
		if !strings.Contains(told, "phoenix_connections_active") || !strings.Contains(told, `"external_id":"acme"`) {
			t.Fatal("neither metrics nor tenants were shown to those who may see them")
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		signature := func(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }
		for name, text := range map[string]string{"told": told, "logged": log.String()} {
			for what, secret := range map[string]string{
				"a tenant's secret": testSecret, "the admins' secret": admin, "the next": next, "the metrics' secret": metricsSecret,
				"a password": password, "a payload": payload, "a good token": signature(good), "a bad token": signature(bad),
				"an admin's token": signature(manager), "a reader's token": signature(reader),
			} {
				if at := strings.Index(text, secret); at >= 0 {
					t.Errorf("%s is %s: …%s…", what, name, text[max(0, at-100):min(len(text), at+20)])
				}
			}
		}
	})
}

// While tokens with signatures that are dear to check come in as fast as they
// can, bob's messages are as quick as ever, because the loops need no signature.
func TestAFloodOfDearSignatures(t *testing.T) {
	t.Parallel()
	m := tcp(t)
	run(t, m, func(s *script) {
		const set = `{"keys":[{"kty":"EC","crv":"P-521","kid":"dear","x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}]}`
		s.fields = append(s.fields, `jwt_jwks: '`+set+`'`)
		s.join("bob", "room")
		bad := "eyJhbGciOiJFUzUxMiIsImtpZCI6ImRlYXIifQ.eyJyb2xlIjoiYW5vbiIsImV4cCI6NDAwMDAwMDAwMH0." + strings.Repeat("A", 175) + "E"
		if _, answer, body := s.knock(bad); answer == nil || !strings.Contains(body, "Failed to validate JWT signature") {
			t.Fatalf("nobody looks at the signature: %s", body)
		}
		stop, ended := make(chan struct{}), make(chan int)
		for range 8 {
			go func() {
				n := 0
				defer func() { ended <- n }()
				for {
					select {
					case <-stop:
						return
					default:
					}
					if s.status(bad) == 401 {
						n++
					}
				}
			}()
		}
		slowest := time.Duration(0)
		for i := range 50 {
			began := time.Now()
			s.client("bob").fence(fmt.Sprint("while", i))
			slowest = max(slowest, time.Since(began))
		}
		close(stop)
		checked := 0
		for range 8 {
			checked += <-ended
		}
		if checked == 0 || slowest > 5*time.Second {
			t.Errorf("%d signatures were checked, and bob waited up to %v", checked, slowest)
		}
	})
}

package app

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestsThatAreTooMuch(t *testing.T) {
	t.Parallel()
	const start = "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: acme.localhost\r\n"
	for name, tt := range map[string]struct {
		request string
		status  int
	}{
		"a header value of 100 KB":      {start + "X-Bomb: " + strings.Repeat("b", 100_000) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a header value of 17 KB":       {start + "X-Bomb: " + strings.Repeat("b", 17_000) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"ten thousand headers":          {start + strings.Repeat("X-Bomb: 12345678\r\n", 10_000) + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a request line of 100 KB":      {"GET /socket/websocket?apikey=" + strings.Repeat("k", 100_000) + " HTTP/1.1\r\nHost: acme.localhost\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a version of HTTP that is not": {"GET / HTTP/9.9\r\nHost: acme.localhost\r\n\r\n", http.StatusHTTPVersionNotSupported},
		"no HTTP at all":                {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", http.StatusBadRequest},
		"no host":                       {"GET /socket/websocket HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		"a key that is a header bomb":   {start + "X-Api-Key: " + strings.Repeat("a.", 5_000) + "\r\n\r\n", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(s *script) {
				s.connect("bob", "")
				conn := s.dial()
				defer func() { _ = conn.Close() }()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					_, _ = io.WriteString(conn, tt.request) // the server need not read it all
				}()
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("no answer: %v", err)
				}
				if answer.StatusCode != tt.status {
					t.Errorf("answered %d, want %d", answer.StatusCode, tt.status)
				}
				_ = conn.Close()
				<-sent
				s.client("bob").fence("after")
			})
		})
	}
}

// A client that never ends its request, a byte now and a byte then, is dropped
// after ten seconds, and a client beside it does not notice.
func TestAHandshakeThatTakesForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run(t, pipes(), func(s *script) {
			s.connect("bob", "")
			began := time.Now()
			conn := s.dial()
			defer func() { _ = conn.Close() }()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for i := 0; ; i++ {
					if _, err := fmt.Fprintf(conn, "%c", "GET /socket/websocket HTTP/1.1\r\nHost: a\r\nX: "[min(i, 42)]); err != nil {
						return
					}
					time.Sleep(200 * time.Millisecond) // virtual
				}
			}()
			answer, err := io.ReadAll(conn)
			if err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Fatal(err)
			}
			if took := time.Since(began); took < 9*time.Second || took > 12*time.Second {
				t.Errorf("dropped after %v, want ten seconds", took)
			}
			_ = conn.Close()
			<-sent
			if len(answer) > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) && !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
				t.Errorf("answered %q", answer)
			}
			s.client("bob").fence("after")
		})
	})
}

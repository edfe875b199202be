package gate

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHeadersOfPages(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	Page(h, Needs{Features: []string{"midi"}})
	policy := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%q is not in %q", want, policy)
		}
	}
	for _, never := range []string{"unsafe", "*", "data:", "blob:"} {
		if strings.Contains(policy, never) {
			t.Errorf("%q is in %q", never, policy)
		}
	}
	features := h.Get("Permissions-Policy")
	if !strings.Contains(features, "midi=(self)") || !strings.Contains(features, "microphone=()") || strings.Count(features, "(self)") != 1 {
		t.Errorf("features %q", features)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	any := http.Header{}
	Page(any, Needs{AnyServer: true})
	if !strings.Contains(any.Get("Content-Security-Policy"), "connect-src 'self' ws: wss: http: https:;") || strings.Contains(any.Get("Permissions-Policy"), "(self)") {
		t.Errorf("got %v", any)
	}
}

func TestStrictTransport(t *testing.T) {
	t.Parallel()
	handler := func(age time.Duration) http.Handler {
		return StrictTransport(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), age)
	}
	for name, tt := range map[string]struct {
		host string
		tls  bool
		age  time.Duration
		want string
	}{
		"a name with TLS":           {"rt.example.com", true, time.Hour, "max-age=3600"},
		"a name and a port":         {"rt.example.com:4000", true, time.Hour, "max-age=3600"},
		"a name without TLS":        {"rt.example.com", false, time.Hour, ""},
		"an operator who says no":   {"rt.example.com", true, 0, ""},
		"localhost":                 {"localhost:4000", true, time.Hour, ""},
		"a tenant of localhost":     {"acme.localhost", true, time.Hour, ""},
		"localhost in other words":  {"LOCALHOST.", true, time.Hour, ""},
		"an address":                {"192.0.2.1:4000", true, time.Hour, ""},
		"an address of IPv6":        {"[2001:db8::1]:4000", true, time.Hour, ""},
		"a name that ends likewise": {"notlocalhost", true, time.Hour, "max-age=3600"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host, r.TLS = tt.host, nil
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			handler(tt.age).ServeHTTP(w, r)
			if got := w.Header().Get("Strict-Transport-Security"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

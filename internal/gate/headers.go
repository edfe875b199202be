package gate

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Needs is what a page may do besides showing itself and asking its own server.
type Needs struct {
	AnyServer bool     // connect to any server, because a developer may name any
	Features  []string // of those below
}

// denied are the features of browsers that a page is refused unless it needs
// them. https://www.w3.org/TR/permissions-policy/
var denied = [...]string{
	"accelerometer", "camera", "clipboard-read", "clipboard-write", "display-capture", "geolocation",
	"gyroscope", "hid", "magnetometer", "microphone", "midi", "payment", "publickey-credentials-get",
	"screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
}

// Page sets the headers of a page. Scripts and styles come from files of the
// server and from nowhere else; no other page may show it in a frame or hold
// its window.
func Page(h http.Header, n Needs) {
	connect := "'self'"
	if n.AnyServer {
		connect += " ws: wss: http: https:"
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src "+connect+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY") // for browsers that know no frame-ancestors
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", permissions(n.Features))
	closed(h)
}

// Data sets the headers of what is no page.
func Data(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	closed(h)
}

// closed keeps an answer from being guessed at, told of, and shown on others'
// pages.
func closed(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func permissions(allowed []string) string {
	var b strings.Builder
	for i, feature := range denied {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(feature)
		if slices.Contains(allowed, feature) {
			b.WriteString("=(self)")
		} else {
			b.WriteString("=()")
		}
	}
	return b.String()
}

// StrictTransport tells browsers to use TLS for this host from now on, for as
// long as age. That is said to requests that came with TLS, and not of localhost,
// where other servers live without it, nor of addresses, of which browsers do
// not believe it.
//
// Specification: RFC 6797
func StrictTransport(next http.Handler, age time.Duration) http.Handler {
	if age <= 0 {
		return next
	}
	value := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && !local(r.Host) {
			w.Header().Set("Strict-Transport-Security", value)
		}
		next.ServeHTTP(w, r)
	})
}

func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

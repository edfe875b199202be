package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tutti-realtime/tutti"
)

// TenantOrigins is the type of the extension that holds which pages may call
// a tenant: {"allowed": ["https://app.example.com"]}.
const TenantOrigins = "origins"

// Origins is a list of origins (RFC 6454), such as "https://app.example.com",
// "https://*.example.com" for all below it, "http://localhost:*" for any port,
// "null" for pages that hide theirs, and "*" for all. The zero value is all.
type Origins struct {
	patterns []pattern
	some     bool // there is a list, and no "*" in it
}

// A pattern is one entry of a list.
type pattern struct {
	scheme, host, port string // port "*" is any, "" the scheme's own
	below              bool   // names below host, not host itself
	null               bool
}

// ParseOrigins reads a list. An empty one is all origins.
func ParseOrigins(list []string) (Origins, error) {
	var o Origins
	everybody := len(list) == 0
	for _, text := range list {
		text = strings.TrimSpace(text)
		if text == "*" {
			everybody = true
			continue
		}
		p, err := parsePattern(text)
		if err != nil {
			return Origins{}, err
		}
		o.patterns = append(o.patterns, p)
	}
	o.some = !everybody
	return o, nil
}

func parsePattern(text string) (p pattern, err error) {
	if text == "null" {
		return pattern{null: true}, nil
	}
	var ok bool
	if p, ok = cutOrigin(text); !ok {
		return p, fmt.Errorf("origin %q must be like https://app.example.com, https://*.example.com, http://localhost:* or *, without a path", text)
	}
	if p.host, p.below = strings.CutPrefix(p.host, "*."); strings.Contains(p.host, "*") || p.host == "" {
		return p, fmt.Errorf("origin %q: a star stands for the first names of a host (https://*.example.com) or for the port", text)
	}
	return p, nil
}

// cutOrigin takes an origin apart. Nothing is decoded: browsers write origins in
// one way.
func cutOrigin(text string) (p pattern, ok bool) {
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	if !ok || scheme == "" || rest == "" || strings.ContainsAny(rest, "/?#@ \\%,") {
		return p, false
	}
	p.scheme, p.host = scheme, rest
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, ']') {
		p.host, p.port = rest[:colon], rest[colon+1:]
		if p.port == "" {
			return p, false
		}
	}
	if p.scheme == "https" && p.port == "443" || p.scheme == "http" && p.port == "80" {
		p.port = ""
	}
	return p, p.host != ""
}

func (p *pattern) covers(o *pattern) bool {
	switch {
	case p.null || p.scheme != o.scheme || p.port != "*" && p.port != o.port:
		return false
	case p.below:
		return strings.HasSuffix(o.host, "."+p.host)
	}
	return o.host == p.host
}

// Any reports whether all origins are allowed.
func (o *Origins) Any() bool { return !o.some }

// Allow reports whether an origin is on the list.
func (o *Origins) Allow(origin string) bool {
	if o.Any() {
		return true
	}
	given, ok := cutOrigin(origin)
	for i := range o.patterns {
		p := &o.patterns[i]
		if p.null && origin == "null" || ok && p.covers(&given) {
			return true
		}
	}
	return false
}

// Origin returns a *Refusal when the page that a request comes from may not call
// the server, or the tenant, which may be nil. Who sends no Origin is no page:
// this keeps browsers from being used by pages that they should not trust, and
// nobody else. Pages of the server itself may always.
func (g *Gate) Origin(r *http.Request, t *tutti.Tenant) error {
	given := r.Header.Values("Origin")
	if g == nil || len(given) == 0 {
		return nil
	}
	if len(given) > 1 || !sameHost(given[0], r.Host) && !g.allows(given[0], t) {
		g.Metrics.refused(OriginNotAllowed)
		return errOrigin
	}
	return nil
}

func (g *Gate) allows(origin string, t *tutti.Tenant) bool {
	if !g.Settings.Origins.Allow(origin) {
		return false
	}
	own, err := originsOf(t)
	if err != nil {
		g.Log.Warn("origins of a tenant make no sense, so no page may call it", "tenant", t.ExternalID, "err", err)
		return false
	}
	return own.Allow(origin)
}

// sameHost reports whether an origin is of the host that the request is for. The
// scheme may differ: a proxy may have ended TLS.
func sameHost(origin, host string) bool {
	o, err := url.Parse(origin)
	return err == nil && host != "" && strings.EqualFold(o.Host, host)
}

// originsOf returns the tenant's own list, all origins when it has none.
func originsOf(t *tutti.Tenant) (Origins, error) {
	if t == nil {
		return Origins{}, nil
	}
	for i := range t.Extensions {
		if e := &t.Extensions[i]; e.Type == TenantOrigins {
			return readOrigins(e.Settings)
		}
	}
	return Origins{}, nil
}

// readOrigins reads the settings of a tenant. An empty list means what it says.
func readOrigins(settings map[string]any) (o Origins, err error) {
	list, ok := settings["allowed"].([]any)
	if !ok {
		return o, errors.New("allowed must be a list of origins")
	}
	texts := make([]string, 0, len(list))
	for _, one := range list {
		text, ok := one.(string)
		if !ok {
			return o, fmt.Errorf("allowed: %v is no text", one)
		}
		texts = append(texts, text)
	}
	if o, err = ParseOrigins(texts); err != nil {
		return o, fmt.Errorf("allowed: %w", err)
	}
	o.some = o.some || len(texts) == 0
	return o, nil
}

// Extension lets whoever stores tenants read the settings beforehand. It has no
// rooms and no routes.
func Extension() tutti.Extension {
	return tutti.Extension{Key: TenantOrigins, Settings: func(s map[string]any) (any, error) { return readOrigins(s) }}
}

// Everybody reports whether pages of any origin may call the tenant, so that
// answers need not depend on the origin.
func (g *Gate) Everybody(t *tutti.Tenant) bool {
	if g == nil {
		return true
	}
	own, err := originsOf(t)
	return err == nil && own.Any() && g.Settings.Origins.Any()
}

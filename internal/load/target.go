package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// A target is where the server is, and what its handshake asks for.
type target struct {
	addr   netip.AddrPort
	host   string // the Host header, which names the tenant
	name   string // the host without its port, for TLS
	secure bool
	path   string // path and query of the request
}

// parseTarget reads the URL of a server as client libraries take it. A URL
// without a path means /socket; /websocket is appended where it is missing.
// The address is left for resolve.
func parseTarget(raw, key, vsn string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("--url %q is not a URL: %w", raw, errors.Unwrap(err))
	}
	t := target{host: u.Host, name: u.Hostname()}
	switch u.Scheme {
	case "http", "ws":
	case "https", "wss":
		t.secure = true
	default:
		return target{}, fmt.Errorf("--url must begin with http://, https://, ws:// or wss://, got %q", raw)
	}
	if t.name == "" {
		return target{}, fmt.Errorf("--url %q names no host", raw)
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	if path == "" {
		path = "/socket"
	}
	if !strings.HasSuffix(path, "/websocket") {
		path += "/websocket"
	}
	query := u.Query()
	if key != "" {
		query.Set("apikey", key)
	}
	query.Set("vsn", vsn)
	t.path = path + "?" + query.Encode()
	return t, nil
}

// resolve finds the address of the host, an IPv4 one if it has any. Names below
// localhost are this machine, as browsers have it, whatever the resolver says.
func (t *target) resolve(ctx context.Context) error {
	_, port, err := net.SplitHostPort(t.host)
	if err != nil {
		port = "80"
		if t.secure {
			port = "443"
		}
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return fmt.Errorf("look up port %s: %w", port, err)
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if t.name != "localhost" && !strings.HasSuffix(t.name, ".localhost") {
		all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", t.name)
		if err != nil {
			return fmt.Errorf("look up %s: %w", t.name, err)
		}
		ip = all[0].Unmap()
		for _, a := range all {
			if a.Unmap().Is4() {
				ip = a.Unmap()
				break
			}
		}
	}
	t.addr = netip.AddrPortFrom(ip, uint16(number))
	return nil
}

// perSource is how many connections one source address may have: Linux gives
// outgoing connections about 28,000 ports, of which some are in use or resting.
const perSource = 25_000

// source returns the address from which connection id goes out, the zero one if
// the kernel may choose. All of 127.0.0.0/8 is this machine, so that more
// connections than an address has ports for get further addresses.
func (t *target) source(id int) netip.Addr {
	if !t.addr.Addr().Is4() || !t.addr.Addr().IsLoopback() || id < perSource {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{127, 0, 1, byte(id / perSource)})
}

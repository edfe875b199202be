package gate

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// ParsePrefixes reads addresses and networks, such as 10.0.0.7 and 10.0.0.0/8.
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range list {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if a, one := netip.ParseAddr(text); err != nil && one == nil {
			p, err = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q must be an address such as 10.0.0.7 or a network such as 10.0.0.0/8", text)
		}
		if of := p.Addr(); of.Is4In6() && p.Bits() >= 96 { // parseAddress returns none in that form
			p = netip.PrefixFrom(of.Unmap(), p.Bits()-96)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseAddress reads an address with or without a port; the zero Addr is for
// what is none.
func parseAddress(text string) netip.Addr {
	text = strings.TrimSpace(text)
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// Address returns the address of the client behind a request, the zero Addr when
// there is none. Each trusted proxy has added to X-Forwarded-For who called it,
// so that the last address there that is no such proxy's is the client's; what
// stands before it was said by the client itself, and is not believed.
func (g *Gate) Address(r *http.Request) netip.Addr {
	at := parseAddress(r.RemoteAddr)
	said := r.Header.Values("X-Forwarded-For")
	if g == nil || len(said) == 0 || !at.IsValid() {
		return at
	}
	if !contains(g.Settings.Proxies, at) {
		g.hint(at)
		return at
	}
	hops := strings.Split(strings.Join(said, ","), ",")
	for i := len(hops) - 1; i >= 0 && contains(g.Settings.Proxies, at); i-- {
		hop := parseAddress(hops[i])
		if !hop.IsValid() {
			return at
		}
		at = hop
	}
	return at
}

// hint says once that there seems to be a proxy that nobody has named. It is
// said of addresses of one's own network only: anybody else may send the header.
func (g *Gate) hint(at netip.Addr) {
	if (at.IsPrivate() || at.IsLoopback()) && !g.hinted.Swap(true) {
		g.Log.Info("X-Forwarded-For is not believed: name your proxy in TRUSTED_PROXIES if this is one", "address", at.String())
	}
}

// counted reports whether an address stands for somebody.
func (g *Gate) counted(a netip.Addr) bool {
	return a.IsValid() && !contains(g.Settings.Uncounted, a) && !contains(g.Settings.Proxies, a)
}

// keeper returns what stands for whoever has an address: of IPv6 a network of 64
// bits, which is the least that a subscriber gets.
func keeper(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

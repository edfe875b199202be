package tenant

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/tutti-realtime/tutti"
)

// ByHost returns the tenant that the host of a request names: the text before
// its first dot, as in "acme.example.com:4000" (protocol.md §1.3). A host that
// names none, which is an IP address or a single word that is no tenant, means
// the directory's Default. The error is tutti.ErrNoTenant when there is no such
// tenant.
func (d *Directory) ByHost(ctx context.Context, host string) (*Handle, error) {
	name := hostName(host)
	if _, err := netip.ParseAddr(name); err == nil && d.Default != "" {
		return d.Find(ctx, d.Default)
	}
	label, _, dotted := strings.Cut(name, ".")
	if label == "" {
		return nil, tutti.ErrNoTenant
	}
	h, err := d.Find(ctx, label)
	if errors.Is(err, tutti.ErrNoTenant) && !dotted && d.Default != "" {
		return d.Find(ctx, d.Default)
	}
	return h, err
}

// hostName returns a host without its port and without the brackets of IPv6.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

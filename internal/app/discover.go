package app

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/postgres"
)

// nodeAge is how old the last word of a node may be for others to look for it.
// A node announces itself each Settings.Lost.
const nodeAge = 30 * time.Second

// A discovery finds the addresses of other nodes.
type discovery struct {
	*App
	lookup func(context.Context) ([]string, error) // nil: there is no name to look up

	mu    sync.Mutex // guards all below
	twins int        // times in a row that another node of this name was seen
	found []string   // by the control database, the last time
}

// discovery returns what the bus asks for other nodes.
func (a *App) discovery() (func(context.Context) ([]string, error), error) {
	lookup, err := a.config.Cluster.lookup()
	if err != nil {
		return nil, err
	}
	d := &discovery{App: a, lookup: lookup}
	return d.peers, nil
}

// peers returns all that can be found, whatever else fails.
func (d *discovery) peers(ctx context.Context) ([]string, error) {
	all := slices.Clone(d.config.Cluster.Peers)
	if d.lookup != nil {
		found, err := d.lookup(ctx)
		if err != nil {
			d.log.Warn("other nodes could not be looked up", "name", d.config.Cluster.DNS, "err", err)
		}
		all = append(all, found...)
	}
	if d.control != nil {
		all = append(all, d.announced(ctx)...)
	}
	return all, nil
}

// announced tells the control database of this node, and returns the others.
func (d *discovery) announced(ctx context.Context) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.ready:
	default:
		return nil // its tables may not be there yet
	}
	address, err := d.reachable(ctx)
	if err == nil {
		var nodes []postgres.NodeRecord
		nodes, err = d.control.Announce(ctx, d.record(address), nodeAge)
		if err == nil {
			d.found = d.others(nodes)
		}
	}
	if err != nil && ctx.Err() == nil {
		d.log.Warn("other nodes could not be read from the control database", "err", err)
	}
	return d.found
}

// others returns the addresses of nodes of other names. One of this name that
// stays is a node that was set up wrong.
func (d *discovery) others(nodes []postgres.NodeRecord) (addresses []string) {
	self, twin := d.several.Members()[0].ID, false
	for _, n := range nodes {
		if n.Name == self {
			twin = true
			continue
		}
		addresses = append(addresses, n.Address)
	}
	if !twin {
		d.twins = 0
		return addresses
	}
	if d.twins++; d.twins == 2 {
		d.log.Error("another node has the name of this one: give each its own (NODE_NAME)", "code", "ClusterNodeNameTaken", "node", self)
	}
	return addresses
}

// record is how this node is listed.
func (a *App) record(address string) postgres.NodeRecord {
	self := a.several.Members()[0]
	return postgres.NodeRecord{
		Cluster: a.config.Cluster.Name, Name: self.ID, Address: address,
		Region: self.Region, Version: self.Version, Started: self.Started().Truncate(time.Microsecond),
	}
}

// reachable returns where others find this node: what was said, or, of a node
// that listens everywhere, the address by which it reaches the control database.
func (d *discovery) reachable(ctx context.Context) (string, error) {
	if advertised := d.config.Cluster.Advertise; advertised != "" {
		return advertised, nil
	}
	address := d.several.Address()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsUnspecified() {
		return address, nil
	}
	if ip, err = d.control.LocalIP(ctx); err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(ip, uint16(n)).String(), err
}

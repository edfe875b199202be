package admin

import (
	"context"
	"net/http"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti/internal/cluster"
)

// numbers are those of a node.
type numbers struct {
	Started     int64   `json:"started_at"` // ms since 1970
	Connections int     `json:"connections"`
	Tenants     int     `json:"tenants"`
	Channels    int     `json:"channels"`
	Topics      int     `json:"topics"`
	Events      float64 `json:"events"` // per second, in the last one
	Joins       float64 `json:"joins"`
	BytesIn     float64 `json:"bytes_in"`
	BytesOut    float64 `json:"bytes_out"`
	CPU         float64 `json:"cpu_percent"`  // of one core
	Memory      uint64  `json:"memory_bytes"` // that Go has from the system
}

// numbers returns those of this node.
func (c *Console) numbers(ctx context.Context) (*numbers, error) {
	members, err := onLoops(ctx, c, func(loop int) int { return c.Topics.Shard(loop).Members() })
	if err != nil {
		return nil, err
	}
	n := &numbers{
		Started: c.Bus.Members()[0].Started().UnixMilli(), Connections: c.Sockets.Open(),
		Topics: c.Topics.Topics(), Memory: memory(),
	}
	for _, m := range members {
		n.Channels += m
	}
	for _, t := range c.Meters.All() {
		if t.Users() > 0 {
			n.Tenants++
		}
	}
	c.recorder.fill(n)
	return n, nil
}

// memory returns the bytes that Go has from the system and has not given back.
func memory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

// An Overview is the whole cluster.
type Overview struct {
	Version     string     `json:"version"`
	Node        string     `json:"node"`
	Region      string     `json:"region"`
	Started     int64      `json:"started_at"`
	Now         int64      `json:"now"`
	Nodes       []nodeView `json:"nodes"`
	Totals      totals     `json:"totals"`
	Unreachable []string   `json:"unreachable"`
	Features    features   `json:"features"`
	Series      *series    `json:"series,omitempty"`
}

type nodeView struct {
	ID          string   `json:"id"`
	Region      string   `json:"region"`
	Version     string   `json:"version"`
	Self        bool     `json:"self"`
	Alive       bool     `json:"alive"`
	Started     int64    `json:"started_at"`
	Connections int      `json:"connections"`
	Tenants     int      `json:"tenants"`
	CPU         *float64 `json:"cpu_percent,omitempty"`
	Memory      *uint64  `json:"memory_bytes,omitempty"`
	RoundTrip   *float64 `json:"round_trip_ms,omitempty"`
}

type totals struct {
	Tenants     int     `json:"tenants_connected"`
	Connections int     `json:"connections"`
	Channels    int     `json:"channels"`
	Events      float64 `json:"events_per_second"`
	Joins       float64 `json:"joins_per_second"`
	BytesIn     float64 `json:"bytes_in_per_second"`
	BytesOut    float64 `json:"bytes_out_per_second"`
}

// features are what the console can do on this server.
type features struct {
	Control   bool `json:"control"`         // tenants can be created and changed
	Dashboard bool `json:"dashboard_write"` // clients can be thrown out, tenants reloaded
	KickRef   bool `json:"kick_ref"`        // a single member can be thrown out
}

func (c *Console) getOverview(w http.ResponseWriter, v *visit) error {
	o, _, err := c.overview(v.Context(), "")
	if err != nil {
		return err
	}
	if o.Series, err = c.seriesOf(v.Context(), ""); err != nil {
		return err
	}
	answer(w, http.StatusOK, o)
	return nil
}

// overview asks all nodes for their numbers, and for those of a tenant if it is
// named. The answer is its reader's own.
func (c *Console) overview(ctx context.Context, tenant string) (*Overview, *Point, error) {
	replies, silent, err := c.ask(ctx, &question{Kind: askNumbers, Tenant: tenant})
	if err != nil {
		return nil, nil, err
	}
	members := c.Bus.Members()
	self := members[0]
	o := &Overview{
		Version: self.Version, Node: self.ID, Region: self.Region, Started: self.Started().UnixMilli(),
		Now: time.Now().UnixMilli(), Nodes: []nodeView{}, Unreachable: append([]string{}, silent...),
		Features: features{Control: c.Writable, Dashboard: true, KickRef: true},
	}
	var point *Point
	if tenant != "" {
		point = &Point{At: o.Now}
	}
	found := map[string]*numbers{}
	for _, r := range replies {
		found[r.node] = r.Numbers
		o.Totals.add(r.Numbers)
		if point != nil && r.Point != nil {
			point.add(r.Point)
		}
	}
	for i := range members {
		o.Nodes = append(o.Nodes, viewOf(&members[i], found[members[i].ID]))
	}
	slices.SortFunc(o.Nodes[1:], func(a, b nodeView) int { return compare(a.ID, b.ID) })
	for _, load := range c.Meters.Loads() {
		if load.Users > 0 {
			o.Totals.Tenants++
		}
	}
	return o, point, nil
}

func (t *totals) add(n *numbers) {
	if n == nil {
		return
	}
	t.Connections += n.Connections
	t.Channels += n.Channels
	t.Events += n.Events
	t.Joins += n.Joins
	t.BytesIn += n.BytesIn
	t.BytesOut += n.BytesOut
}

// viewOf shows a node; n is nil for one that did not answer.
func viewOf(m *cluster.Member, n *numbers) nodeView {
	v := nodeView{ID: m.ID, Region: m.Region, Version: m.Version, Self: m.Self, Alive: n != nil, Started: m.Started().UnixMilli()}
	if m.RoundTrip > 0 {
		ms := float64(m.RoundTrip.Microseconds()) / 1000
		v.RoundTrip = &ms
	}
	if n == nil { // what it said of itself last
		v.Connections, v.Tenants = int(m.Load["connections"]), int(m.Load["tenants"])
		return v
	}
	v.Connections, v.Tenants, v.CPU, v.Memory = n.Connections, n.Tenants, &n.CPU, &n.Memory
	return v
}

package admin

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/tally"
)

const (
	// step is between two points of a series, in seconds.
	step = 5
	// steps make the ten minutes that are kept: 7 kB for each tenant.
	steps = 120
	// mostRings is how many tenants have a series on one node. Those that come later
	// have none until others are quiet.
	mostRings = 1000
)

// A Point is what a tenant did at a time: rates are per second.
type Point struct {
	At          int64   `json:"at"` // ms since 1970
	Connections int     `json:"connections"`
	Events      float64 `json:"events"`
	Joins       float64 `json:"joins"`
	Presence    float64 `json:"presence_events"`
	Changes     float64 `json:"db_events"`
	Errors      float64 `json:"errors"`
}

func (p *Point) add(o *Point) {
	p.Connections += o.Connections
	p.Events += o.Events
	p.Joins += o.Joins
	p.Presence += o.Presence
	p.Changes += o.Changes
	p.Errors += o.Errors
}

// counts are totals since a tenant's counters began.
type counts struct{ events, joins, presence, changes, errors int64 }

func countsOf(t *limit.Tenant) counts {
	return counts{t.Events.Total(), t.Joins.Total(), t.Presence.Total(), t.DBEvents.Total(), t.Tally.Failures()}
}

// point returns what happened between two totals. Counters that were forgotten
// and begun anew have begun at 0.
func (c counts) point(before counts, seconds float64) Point {
	if c.events < before.events || c.joins < before.joins || c.errors < before.errors {
		before = counts{}
	}
	per := func(now, then int64) float64 { return float64(max(0, now-then)) / seconds }
	return Point{
		Events: per(c.events, before.events), Joins: per(c.joins, before.joins), Presence: per(c.presence, before.presence),
		Changes: per(c.changes, before.changes), Errors: per(c.errors, before.errors),
	}
}

// A ring is the last ten minutes of a tenant on this node.
type ring struct {
	points        [steps]Point // by time/step
	second, whole counts       // totals a second ago, and when the last point was
	latest        Point        // of the last second
	at            time.Time
	users         int
}

// A recorder keeps numbers of this node.
type recorder struct {
	mu       sync.Mutex // guards all below; nothing is called under it
	rings    map[string]*ring
	total    ring      // of all tenants
	steps    int64     // since 1970, as of the last point
	asked    time.Time // when somebody looked last
	in, out  int64     // bytes, a second ago
	cpu      time.Duration
	at       time.Time
	rateIn   float64
	rateOut  float64
	rateCPU  float64
	measured bool
}

// attention is how long somebody is taken to look who has asked for numbers. While
// nobody does, they are taken once in a step and not each second.
const attention = 30 * time.Second

// due reports whether numbers are to be taken, and whether a step is over.
func (r *recorder) due(now time.Time) (yes, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	whole = now.Unix()/step != r.steps
	return whole || now.Sub(r.asked) < attention, whole
}

// record takes note of this second.
func (c *Console) record(now time.Time) {
	yes, whole := c.recorder.due(now)
	if !yes {
		return
	}
	type sample struct {
		counts
		users int
	}
	tenants := map[string]sample{}
	var in, out int64
	for id, t := range c.Meters.All() {
		tenants[id] = sample{countsOf(t), t.Users()}
		in += t.Tally.Sum(tally.InputBytes)
		out += t.Tally.Sum(tally.OutputBytes)
	}
	r := &c.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	r.measure(now, in, out)
	r.steps = now.Unix() / step
	sum := Point{}
	for id, s := range tenants {
		g := r.rings[id]
		if g == nil {
			if len(r.rings) >= mostRings {
				continue
			}
			g = &ring{second: s.counts, whole: s.counts, at: now}
			r.rings[id] = g
		}
		g.take(now, s.counts, s.users, whole)
		sum.add(&g.latest)
	}
	r.total.latest = sum
	if whole {
		r.total.keep(now, r.sum(now))
	}
	for id, g := range r.rings {
		if now.Sub(g.at) > steps*step*time.Second {
			delete(r.rings, id)
		}
	}
}

// take notes the totals of now.
func (g *ring) take(now time.Time, c counts, users int, whole bool) {
	seconds := max(0.2, now.Sub(g.at).Seconds())
	g.latest = c.point(g.second, seconds)
	g.latest.Connections = users
	g.second, g.at, g.users = c, now, users
	if whole {
		p := c.point(g.whole, step)
		p.Connections = users
		g.whole = c
		g.keep(now, p)
	}
}

// keep puts a point where its time belongs.
func (g *ring) keep(now time.Time, p Point) {
	p.At = now.Unix() / step * step * 1000
	g.points[now.Unix()/step%steps] = p
}

// sum adds up the points that were just kept.
func (r *recorder) sum(now time.Time) Point {
	var p Point
	at := now.Unix() / step * step * 1000
	for _, g := range r.rings {
		if one := &g.points[now.Unix()/step%steps]; one.At == at {
			p.add(one)
		}
	}
	return p
}

func (r *recorder) measure(now time.Time, in, out int64) {
	cpu := cpuTime()
	if r.measured {
		seconds := max(0.2, now.Sub(r.at).Seconds())
		// Sums of tenants: they fall when one is forgotten.
		r.rateIn, r.rateOut = float64(max(0, in-r.in))/seconds, float64(max(0, out-r.out))/seconds
		r.rateCPU = 100 * (cpu - r.cpu).Seconds() / seconds
	}
	r.in, r.out, r.cpu, r.at, r.measured = in, out, cpu, now, true
}

// fill puts the rates of the last second in.
func (r *recorder) fill(n *numbers) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = time.Now()
	n.BytesIn, n.BytesOut, n.CPU = r.rateIn, r.rateOut, r.rateCPU
	n.Events, n.Joins = r.total.latest.Events, r.total.latest.Joins
}

// last returns a tenant's last second on this node, nil when it has none.
func (r *recorder) last(tenant string) *Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.rings[tenant]
	if g == nil || time.Since(g.at) > 2*step*time.Second {
		return nil
	}
	p := g.latest
	return &p
}

// points returns the last ten minutes of a tenant on this node, or of all with "",
// oldest first. There is none for times of which nothing is known.
func (r *recorder) points(tenant string) []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := &r.total
	if tenant != "" {
		if g = r.rings[tenant]; g == nil {
			return nil
		}
	}
	newest := time.Now().Unix() / step
	var all []Point
	for i := newest - steps + 1; i <= newest; i++ {
		if p := g.points[i%steps]; p.At == i*step*1000 {
			all = append(all, p)
		}
	}
	return all
}

// A series is the last ten minutes of all nodes.
type series struct {
	Step   int     `json:"step_ms"`
	Points []Point `json:"points"`
}

// seriesOf adds up what the nodes have kept of a tenant, or of all with "".
func (c *Console) seriesOf(ctx context.Context, tenant string) (*series, error) {
	replies, _, err := c.ask(ctx, &question{Kind: askSeries, Tenant: tenant})
	if err != nil {
		return nil, err
	}
	sums := map[int64]*Point{}
	for _, r := range replies {
		for _, p := range r.Series {
			if sums[p.At] == nil {
				sums[p.At] = &Point{At: p.At}
			}
			sums[p.At].add(&p)
		}
	}
	s := &series{Step: step * 1000, Points: []Point{}}
	newest := time.Now().Unix() / step
	for i := newest - steps + 1; i <= newest; i++ {
		if p := sums[i*step*1000]; p != nil {
			s.Points = append(s.Points, *p)
		}
	}
	return s, nil
}

func compare[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }

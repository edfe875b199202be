package cluster

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// A collector shows what passes on a bus.
type collector struct{ bus *Bus }

// NewMetrics returns a collector.
func NewMetrics(b *Bus) prometheus.Collector { return collector{b} }

// callTimes is how long questions to other nodes took.
type callTimes struct{ answered, silent tally.Histogram }

// note counts a question, whose answers came or did not.
func (c *callTimes) note(began time.Time, silent int) {
	if silent > 0 {
		c.silent.Since(began)
		return
	}
	c.answered.Since(began)
}

// mechanism is how nodes ask each other.
const mechanism = "nats"

// A busCount is a number of Stats.
type busCount struct {
	desc *prometheus.Desc
	of   func(*Stats) uint64
}

// busDesc describes a number that only we have.
func busDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tutti_bus_"+name, help, labels, nil)
}

var busCounts = []busCount{
	{busDesc("sent_total", "Messages sent to other nodes."), func(s *Stats) uint64 { return s.Sent }},
	{busDesc("received_total", "Messages received from other nodes."), func(s *Stats) uint64 { return s.Received }},
	{busDesc("unsent_total", "Messages that could not be sent: no room, no connection, or too large."), func(s *Stats) uint64 { return s.Unsent }},
	{busDesc("missed_total", "Messages of other nodes that were lost on their way here."), func(s *Stats) uint64 { return s.Missed }},
	{busDesc("late_total", "Messages that came twice or out of order, and were dropped."), func(s *Stats) uint64 { return s.Late }},
	{busDesc("malformed_total", "What came and was no message."), func(s *Stats) uint64 { return s.Malformed }},
	{busDesc("unknown_total", "Messages of a release that this one does not understand."), func(s *Stats) uint64 { return s.Unknown }},
	{busDesc("twins_total", "Messages of another node that has the name of this one."), func(s *Stats) uint64 { return s.Twins }},
	{busDesc("slow_total", "Times that this node could not take what its connection had for it."), func(s *Stats) uint64 { return s.Slow }},
	{busDesc("slow_peers_total", "Times that a route of the embedded server could not take what was sent."), func(s *Stats) uint64 { return s.SlowPeers }},
	{busDesc("disconnects_total", "Times that the bus lost its connection."), func(s *Stats) uint64 { return s.Disconnects }},
}

var (
	topicsDesc    = busDesc("topics", "Topics that this node wants from other nodes.")
	bucketsDesc   = busDesc("subscriptions", "Subjects that this node is subscribed to: topics share them.")
	routesDesc    = busDesc("routes", "Connections to other nodes.")
	leasesDesc    = busDesc("leases", "Leases that this node has: of databases that it reads and of rooms that it runs.")
	membersDesc   = busDesc("members", "Nodes of the cluster that this one knows, itself included.")
	outgoingDesc  = busDesc("outgoing_bytes", "Bytes that wait to be sent to other nodes.")
	incomingDesc  = busDesc("incoming_bytes", "Bytes of other nodes that wait to be handed on.")
	roundTripDesc = busDesc("round_trip_seconds", "Time from a heartbeat until another node has confirmed it.", "node")
	silentDesc    = busDesc("silent_seconds", "Time since another node was heard.", "node")
	fanoutHitDesc = prometheus.NewDesc("realtime_broadcast_global_fanout_node_delivery_total", "Messages that came from other nodes, by whether somebody here listens to the topic.", []string{"hit"}, nil)
	callsDesc     = prometheus.NewDesc("realtime_global_rpc", "Milliseconds that questions to other nodes took. Without success some did not answer.", []string{"success", "mechanism"}, nil)
	allDescs      = []*prometheus.Desc{topicsDesc, bucketsDesc, routesDesc, leasesDesc, membersDesc, outgoingDesc, incomingDesc, roundTripDesc, silentDesc, fanoutHitDesc, callsDesc}
)

// Describe implements prometheus.Collector.
func (c collector) Describe(into chan<- *prometheus.Desc) {
	for _, one := range busCounts {
		into <- one.desc
	}
	for _, d := range allDescs {
		into <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(into chan<- prometheus.Metric) {
	show := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		into <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	s := c.bus.Stats()
	for _, one := range busCounts {
		show(one.desc, prometheus.CounterValue, float64(one.of(&s)))
	}
	show(fanoutHitDesc, prometheus.CounterValue, float64(s.Received-min(s.Unwanted, s.Received)), "true")
	show(fanoutHitDesc, prometheus.CounterValue, float64(s.Unwanted), "false")
	show(topicsDesc, prometheus.GaugeValue, float64(s.Topics))
	show(bucketsDesc, prometheus.GaugeValue, float64(s.Subscriptions))
	show(routesDesc, prometheus.GaugeValue, float64(s.Routes))
	show(leasesDesc, prometheus.GaugeValue, float64(s.Leases))
	show(outgoingDesc, prometheus.GaugeValue, float64(c.bus.out.size()))
	incoming := 0
	for _, l := range c.bus.lanes {
		incoming += l.size()
	}
	show(incomingDesc, prometheus.GaugeValue, float64(incoming))
	members := c.bus.Members()
	show(membersDesc, prometheus.GaugeValue, float64(len(members)))
	for i := range members {
		if m := &members[i]; !m.Self {
			show(roundTripDesc, prometheus.GaugeValue, m.RoundTrip.Seconds(), m.ID)
			show(silentDesc, prometheus.GaugeValue, m.Silent.Seconds(), m.ID)
		}
	}
	into <- callsMetric(&c.bus.times.answered, true)
	into <- callsMetric(&c.bus.times.silent, false)
}

func callsMetric(h *tally.Histogram, success bool) prometheus.Metric {
	var s tally.Sample
	s.Add(h)
	count, sum, buckets := s.Shown(tally.Times, 1000)
	return prometheus.MustNewConstHistogram(callsDesc, count, sum, buckets, strconv.FormatBool(success), mechanism)
}

// size returns how many bytes wait.
func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// size returns how many bytes wait.
func (l *lane) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

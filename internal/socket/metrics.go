package socket

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/tally"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// Metrics is what the engine counts. What is counted for each message is kept
// apart by loop, so that counting costs nothing that could be measured.
type Metrics struct {
	loops     [hub.MaxLoops]loopCounts
	hangups   *prometheus.CounterVec
	badFrames *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	opening   [2]tally.Histogram // time of handshakes that succeeded, by serializer
}

// loopCounts is what one loop has counted.
type loopCounts struct {
	rows         atomic.Int64    // deliveries that are no messages
	fanOut       tally.Histogram // deliveries of one message
	writes       tally.Histogram // bytes of one write
	frames       tally.Histogram // frames of one write
	outboxes     atomic.Int64    // that hold something, as of the last sweep
	outboxBytes  atomic.Int64    // what they hold
	outboxLarger atomic.Int64    // the most that one of them holds
	_            [128]byte       // keeps loops off each other's cache lines
}

// NewMetrics registers the engine's metrics. Names that the reference has too
// mean the same there.
func NewMetrics(r prometheus.Registerer, s *Server) *Metrics {
	m := &Metrics{
		hangups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_socket_hangups_total", Help: "Connections that the server closed for a fault of the client or of the network, by close code; 1013 is a client that did not take what it was sent."}, []string{"code"}),
		badFrames: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_socket_malformed_frames_total", Help: "Frames of clients that were dropped because they make no sense."}, []string{"code"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_socket_refusals_total", Help: "Handshakes that were refused."}, []string{"code"}),
	}
	// So that the first of each is an increase.
	for _, code := range []int{
		websocket.CodeNormal, websocket.CodeProtocol, websocket.CodeTooBig, websocket.CodeInternal, websocket.CodeTryLater,
	} {
		m.hangups.WithLabelValues(strconv.Itoa(code))
	}
	m.badFrames.WithLabelValues(phoenix.CodeMalformed)
	m.badFrames.WithLabelValues(phoenix.CodeUnknown)
	for _, code := range []string{
		tutti.TenantNotFound, tutti.RealtimeDisabledForTenant, tutti.ConnectionRateLimitReached, tutti.InvalidJWTToken,
		tutti.RealtimeRestarting, "JoinsRateLimitReached", "MissingAPIKey", "ErrorConnectingToWebsocket",
	} {
		m.refusals.WithLabelValues(code)
	}
	r.MustRegister(m.hangups, m.badFrames, m.refusals, &engine{m, s})
	return m
}

// An engine shows what the loops have counted.
type engine struct {
	metrics *Metrics
	server  *Server
}

var (
	connectionsDesc  = prometheus.NewDesc("phoenix_connections_active", "Open WebSocket connections.", nil, nil)
	acceptedDesc     = prometheus.NewDesc("phoenix_connections_total", "WebSocket connections that were accepted.", nil, nil)
	openingDesc      = prometheus.NewDesc("phoenix_socket_connected_duration_milliseconds", "Milliseconds that handshakes took which succeeded.", []string{"result", "transport", "serializer"}, nil)
	deliveriesDesc   = prometheus.NewDesc("tutti_deliveries_total", "Messages and changes of rows that were handed to a listener.", nil, nil)
	fanOutDesc       = prometheus.NewDesc("tutti_fanout_listeners", "Listeners of a message, on one event loop.", nil, nil)
	writesDesc       = prometheus.NewDesc("tutti_write_bytes", "Bytes that were written to a client at once: frames that waited together go together.", nil, nil)
	framesDesc       = prometheus.NewDesc("tutti_write_frames", "Frames that were written to a client at once.", nil, nil)
	outboxesDesc     = prometheus.NewDesc("tutti_outboxes", "Connections for which something waits to be written, as of a second ago.", nil, nil)
	outboxBytesDesc  = prometheus.NewDesc("tutti_outbox_bytes", "Bytes that wait to be written to clients, as of a second ago.", nil, nil)
	outboxLargerDesc = prometheus.NewDesc("tutti_outbox_largest_bytes", "Bytes that wait for the client for which most waits, as of a second ago.", nil, nil)
	mailboxDesc      = prometheus.NewDesc("tutti_mailbox_bytes", "Bytes that wait for an event loop. At 33554432 no client is read until it is less.", []string{"loop"}, nil)
)

// Describe implements prometheus.Collector.
func (e *engine) Describe(into chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		connectionsDesc, acceptedDesc, openingDesc, deliveriesDesc, fanOutDesc, writesDesc, framesDesc,
		outboxesDesc, outboxBytesDesc, outboxLargerDesc, mailboxDesc,
	} {
		into <- d
	}
}

// Collect implements prometheus.Collector.
func (e *engine) Collect(into chan<- prometheus.Metric) {
	var fanOut, writes, frames tally.Sample
	var rows, outboxes, waiting, largest int64
	for i := range e.server.loops {
		c := &e.metrics.loops[i]
		fanOut.Add(&c.fanOut)
		writes.Add(&c.writes)
		frames.Add(&c.frames)
		rows += c.rows.Load()
		outboxes += c.outboxes.Load()
		waiting += c.outboxBytes.Load()
		largest = max(largest, c.outboxLarger.Load())
	}
	show := func(d *prometheus.Desc, kind prometheus.ValueType, v int64, labels ...string) {
		into <- prometheus.MustNewConstMetric(d, kind, float64(v), labels...)
	}
	show(connectionsDesc, prometheus.GaugeValue, int64(e.server.Open()))
	show(acceptedDesc, prometheus.CounterValue, int64(e.server.next.Load()))
	show(deliveriesDesc, prometheus.CounterValue, rows+fanOut.Sum())
	show(outboxesDesc, prometheus.GaugeValue, outboxes)
	show(outboxBytesDesc, prometheus.GaugeValue, waiting)
	show(outboxLargerDesc, prometheus.GaugeValue, largest)
	for i, l := range e.server.loops {
		show(mailboxDesc, prometheus.GaugeValue, l.mail.weight.Load(), strconv.Itoa(i))
	}
	for i, serializer := range []string{"1.0.0", "2.0.0"} {
		var s tally.Sample
		s.Add(&e.metrics.opening[i])
		count, sum, buckets := s.Shown(tally.Times, 1000)
		into <- prometheus.MustNewConstHistogram(openingDesc, count, sum, buckets, "ok", "websocket", serializer)
	}
	into <- histogram(fanOutDesc, tally.Sizes, &fanOut)
	into <- histogram(writesDesc, tally.Writes, &writes)
	into <- histogram(framesDesc, tally.Sizes, &frames)
}

func histogram(d *prometheus.Desc, scale *tally.Scale, s *tally.Sample) prometheus.Metric {
	count, sum, buckets := s.Shown(scale, 1)
	return prometheus.MustNewConstHistogram(d, count, sum, buckets)
}

// connected counts a handshake that succeeded.
func (m *Metrics) connected(v phoenix.Version, began time.Time) {
	m.opening[v-phoenix.V1].Since(began)
}

func (m *Metrics) handedOut(loop, rows int) { m.loops[loop].rows.Add(int64(rows)) }

func (m *Metrics) delivered(loop, n int) {
	m.loops[loop].fanOut.Observe(tally.Sizes, int64(n))
}

func (m *Metrics) hungUp(code int)       { m.hangups.WithLabelValues(strconv.Itoa(code)).Inc() }
func (m *Metrics) malformed(code string) { m.badFrames.WithLabelValues(code).Inc() }
func (m *Metrics) refused(code string)   { m.refusals.WithLabelValues(code).Inc() }

// A streak is writes that followed each other and were alike: a message goes to one
// listener after another, and they are counted together, which costs less than
// a nanosecond for each.
type streak struct {
	bytes, frames int // of each
	times         int64
	meters        *limit.Tenant
}

// wrote counts a write of so many bytes and frames.
func (l *loop) wrote(meters *limit.Tenant, bytes, frames int) {
	r := &l.streak
	if bytes != r.bytes || frames != r.frames || meters != r.meters {
		l.settle()
		r.bytes, r.frames, r.meters = bytes, frames, meters
	}
	r.times++
}

// settle counts the streak of writes that has ended.
func (l *loop) settle() {
	r := &l.streak
	if r.times == 0 {
		return
	}
	c := &l.server.Metrics.loops[l.index]
	sum := r.times * int64(r.bytes)
	c.writes.Add(tally.Writes.Bucket(int64(r.bytes)), r.times, sum)
	c.frames.Add(tally.Sizes.Bucket(int64(r.frames)), r.times, r.times*int64(r.frames))
	if r.meters != nil {
		r.meters.Tally.Add(l.index, tally.OutputBytes, sum)
	}
	*r = streak{}
}

// A backlog is what waits in the outboxes of a loop's connections.
type backlog struct{ outboxes, bytes, largest int64 }

func (b *backlog) add(c *conn) {
	if c.out == nil {
		return
	}
	n := int64(c.out.bytes)
	b.outboxes, b.bytes, b.largest = b.outboxes+1, b.bytes+n, max(b.largest, n)
}

// report shows what all connections had at the sweep that has ended.
func (l *loop) report(b backlog) {
	c := &l.server.Metrics.loops[l.index]
	c.outboxes.Store(b.outboxes)
	c.outboxBytes.Store(b.bytes)
	c.outboxLarger.Store(b.largest)
}

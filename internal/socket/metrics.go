package socket

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/hub"
)

// Metrics is what the engine counts. What is counted for each message is kept
// apart by loop, so that counting costs nothing that could be measured.
type Metrics struct {
	loops       [hub.MaxLoops]loopCounts
	hangups     *prometheus.CounterVec
	badFrames   *prometheus.CounterVec
	refusals    *prometheus.CounterVec
	connections prometheus.GaugeFunc
}

type loopCounts struct {
	deliveries, in, out atomic.Int64
	_                   [128 - 3*8]byte // keeps loops off each other's cache lines
}

// NewMetrics registers the engine's metrics. Names that the reference has too
// mean the same there.
func NewMetrics(r prometheus.Registerer, open func() int) *Metrics {
	m := &Metrics{
		hangups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_socket_hangups_total", Help: "Connections that the server closed for a fault of the client or of the network, by close code; 1013 is a client that did not take what it was sent."}, []string{"code"}),
		badFrames: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_socket_malformed_frames_total", Help: "Frames of clients that were dropped because they make no sense."}, []string{"code"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_socket_refusals_total", Help: "Handshakes that were refused."}, []string{"code"}),
		connections: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "phoenix_connections_active", Help: "Open WebSocket connections."}, func() float64 { return float64(open()) }),
	}
	r.MustRegister(m.hangups, m.badFrames, m.refusals, m.connections,
		m.counter("tutti_deliveries_total", "Messages handed to a listener.", func(c *loopCounts) int64 { return c.deliveries.Load() }),
		m.counter("realtime_channel_global_input_bytes", "Bytes received from clients.", func(c *loopCounts) int64 { return c.in.Load() }),
		m.counter("realtime_channel_global_output_bytes", "Bytes sent to clients.", func(c *loopCounts) int64 { return c.out.Load() }))
	return m
}

func (m *Metrics) counter(name, help string, of func(*loopCounts) int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 {
		sum := int64(0)
		for i := range m.loops {
			sum += of(&m.loops[i])
		}
		return float64(sum)
	})
}

func (m *Metrics) delivered(loop, n int) { m.loops[loop].deliveries.Add(int64(n)) }
func (m *Metrics) input(loop, n int)     { m.loops[loop].in.Add(int64(n)) }
func (m *Metrics) output(loop, n int)    { m.loops[loop].out.Add(int64(n)) }

func (m *Metrics) hungUp(code int)       { m.hangups.WithLabelValues(strconv.Itoa(code)).Inc() }
func (m *Metrics) malformed(code string) { m.badFrames.WithLabelValues(code).Inc() }
func (m *Metrics) refused(code string)   { m.refusals.WithLabelValues(code).Inc() }

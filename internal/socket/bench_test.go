package socket

import (
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/presence"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A sink is a wire that the kernel takes everything from. The system call is
// the cheapest there is, so what is beside it weighs more than on a real wire.
type sink struct{ file *os.File }

func (w sink) write(b []byte) (int, error) { return w.file.Write(b) }
func (sink) read([]byte) ([]byte, error)   { return nil, errBlocked }
func (sink) pause(bool)                    {}
func (sink) shut()                         {}
func (sink) close()                        {}

// BenchmarkBroadcast is one broadcast of 256 bytes from the frame of its sender
// to the wires of its listeners: all that stands between two system calls.
func BenchmarkBroadcast(b *testing.B) {
	for _, listeners := range []int{20, 1000} {
		b.Run(fmt.Sprint(listeners), func(b *testing.B) { benchmarkBroadcast(b, listeners) })
	}
}

func benchmarkBroadcast(b *testing.B, listeners int) {
	l, join := choir(b)
	for range listeners {
		join()
	}
	sender := join()
	payload := fmt.Appendf(nil, `["1",null,"realtime:room","broadcast",{"event":"note","type":"broadcast","payload":{"fill":"%0200d"}}]`, 1)
	b.ReportAllocs()
	for b.Loop() {
		frame, err := phoenix.Decode(phoenix.V2, true, payload)
		if err != nil {
			b.Fatal(err)
		}
		sender.client.Receive(&frame)
		l.doWork()
		l.flushDirty()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(listeners), "ns/listener")
}

// choir returns a loop that does not run, and how clients come that have joined
// one topic.
func choir(b *testing.B) (l *loop, join func() *conn) {
	const secret = "a-secret-that-is-long-enough-for-hs256"
	acme := &tutti.Tenant{
		ExternalID: "acme", JWTSecret: secret, MaxConcurrentUsers: 1 << 30, MaxEventsPerSecond: 1 << 30, MaxJoinsPerSecond: 1 << 30,
		MaxChannelsPerClient: 100, MaxPresenceEventsPerSecond: 1 << 30, MaxPayloadSizeKB: 100,
	}
	directory := &tenant.Directory{Store: tenant.Fixed{acme}}
	handle, err := directory.Find(b.Context(), "acme")
	if err != nil {
		b.Fatal(err)
	}
	text, err := auth.Mint(secret, map[string]any{"role": "anon", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		b.Fatal(err)
	}
	verifier := &auth.Verifier{}
	token, err := verifier.Verify(acme, text, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = null.Close() })
	s := &Server{Settings: ordinary(), Log: slog.New(slog.DiscardHandler), Meters: &limit.Meters{}}
	s.Metrics = NewMetrics(prometheus.NewRegistry(), s)
	l = &loop{server: s, output: make([]byte, 0, writeSize), poll: &nag{bring: func() {}}}
	topics := hub.New([]hub.Loop{l})
	shared := &channel.Service{
		Verifier: verifier, Door: &broadcast.Door{Publisher: &cluster.Local{Arrive: topics.Deliver}},
		Roster: &presence.Roster{Deliver: topics.Deliver}, Log: s.Log,
	}
	s.loops = []*loop{l}
	s.Seat(topics, shared)
	meters := s.Meters.Of("acme")
	return l, func() *conn {
		c := &conn{loop: l, wire: sink{null}, heard: time.Now()}
		c.client = channel.Client{
			Desk: l.desk, Line: c, Version: phoenix.V2, Token: token, TenantID: "acme", Tenant: handle, Meters: meters,
		}
		l.add(c)
		frame, err := phoenix.Decode(phoenix.V2, true, []byte(`["1","1","realtime:room","phx_join",{"config":{}}]`))
		if err != nil {
			b.Fatal(err)
		}
		c.client.Receive(&frame)
		l.flushDirty()
		return c
	}
}

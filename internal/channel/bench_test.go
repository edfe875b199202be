package channel

import (
	"log/slog"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/presence"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A deafLine is a connection that nobody listens to.
type deafLine struct{}

func (deafLine) Send([]byte, bool)                  {}
func (deafLine) Hangup(int, string)                 {}
func (deafLine) After(time.Duration, func()) func() { return func() {} }

// A benchLoop is an event loop on the caller's stack.
type benchLoop struct{ desk *Desk }

func (l *benchLoop) Enqueue(m *hub.Message)       { l.desk.Shard.Deliver(m) }
func (l *benchLoop) Post(_, _ int, f func()) bool { f(); return true }
func (l *benchLoop) Publish(tutti.Message)        {}

// benchClient returns a client of a server that traces nothing.
func benchClient(b *testing.B) *Client {
	acme := &tutti.Tenant{
		ExternalID: "acme", JWTSecret: secret, MaxConcurrentUsers: 1000, MaxEventsPerSecond: 1 << 30, MaxJoinsPerSecond: 1 << 30,
		MaxChannelsPerClient: 100, MaxPresenceEventsPerSecond: 1 << 30, MaxPayloadSizeKB: 100,
	}
	handle, err := (&tenant.Directory{Store: tenant.Fixed{acme}}).Find(b.Context(), "acme")
	if err != nil {
		b.Fatal(err)
	}
	loop := &benchLoop{}
	topics := hub.New([]hub.Loop{loop})
	loop.desk = &Desk{Shard: topics.Shard(0), Loop: loop, Service: &Service{
		Verifier: &auth.Verifier{}, Log: slog.New(slog.DiscardHandler),
		Door: &broadcast.Door{Publisher: loop}, Roster: &presence.Roster{Deliver: topics.Deliver},
	}}
	raw, err := auth.Mint(secret, map[string]any{"role": "anon", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		b.Fatal(err)
	}
	token, err := loop.desk.Verifier.Verify(acme, raw, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return &Client{
		Desk: loop.desk, Line: deafLine{}, Version: phoenix.V2, Token: token, TenantID: "acme", Tenant: handle,
		Meters: (&limit.Meters{}).Of("acme"),
	}
}

// BenchmarkJoin joins and leaves a public channel.
func BenchmarkJoin(b *testing.B) {
	c := benchClient(b)
	join := &phoenix.Frame{Kind: phoenix.Text, Event: phoenix.EventJoin, Topic: []byte("realtime:t"), Ref: phoenix.Ref(`"1"`), JoinRef: phoenix.Ref(`"1"`), Payload: []byte(`{"config":{}}`)}
	leave := &phoenix.Frame{Kind: phoenix.Text, Event: phoenix.EventLeave, Topic: []byte("realtime:t"), Ref: phoenix.Ref(`"2"`), JoinRef: phoenix.Ref(`"1"`), Payload: []byte(`{}`)}
	b.ReportAllocs()
	for b.Loop() {
		c.Receive(join)
		c.Receive(leave)
	}
}

// BenchmarkSay sends a broadcast, which goes nowhere.
func BenchmarkSay(b *testing.B) {
	c := benchClient(b)
	c.Receive(&phoenix.Frame{Kind: phoenix.Text, Event: phoenix.EventJoin, Topic: []byte("realtime:t"), JoinRef: phoenix.Ref(`"1"`), Payload: []byte(`{"config":{}}`)})
	say := &phoenix.Frame{Kind: phoenix.Text, Event: phoenix.EventBroadcast, Topic: []byte("realtime:t"), Payload: []byte(`{"type":"broadcast","event":"e","payload":{}}`)}
	b.ReportAllocs()
	for b.Loop() {
		c.Receive(say)
	}
}

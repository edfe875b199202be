package channel

import (
	"context"
	"log/slog"
	"sync"
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

const secret = "a-secret-that-is-long-enough-for-hs256"

// A testLoop is an event loop without sockets.
type testLoop struct {
	t       *testing.T
	desk    *Desk
	topics  *hub.Hub
	meters  *limit.Tenant
	handle  *tenant.Handle
	publish func(tutti.Message) // is told what goes out
	armed   int                 // timers that neither fired nor were stopped; the loop's

	mu    sync.Mutex // guards tasks
	tasks []func()
	bell  chan struct{}
}

// newLoop returns a loop of a tenant with a database, which runs until the test
// has ended.
func newLoop(t *testing.T, policies Policies, settings map[string]any) *testLoop {
	l := &testLoop{t: t, bell: make(chan struct{}, 1)}
	acme := &tutti.Tenant{
		ExternalID: "acme", JWTSecret: secret, MaxConcurrentUsers: 1000, MaxEventsPerSecond: 1 << 30, MaxJoinsPerSecond: 1 << 30,
		MaxChannelsPerClient: 100, MaxPresenceEventsPerSecond: 1 << 30, MaxPayloadSizeKB: 100, ClientPresenceMaxCalls: 1 << 30,
		Extensions: []tutti.TenantExtension{{Type: tenant.DatabaseExtension, Settings: settings}},
	}
	directory := &tenant.Directory{Store: tenant.Fixed{acme}}
	var err error
	if l.handle, err = directory.Find(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	l.meters = (&limit.Meters{}).Of("acme")
	l.topics = hub.New([]hub.Loop{l})
	l.desk = &Desk{Shard: l.topics.Shard(0), Service: &Service{
		Verifier: &auth.Verifier{}, Policies: policies, Log: slog.New(slog.DiscardHandler), JoinBackoff: time.Second,
		Door: &broadcast.Door{Publisher: l}, Roster: &presence.Roster{Deliver: l.topics.Deliver},
		PresenceCalls: 1 << 30, PresenceWindow: time.Second,
	}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return l
}

func (l *testLoop) Publish(m tutti.Message) {
	if l.publish != nil {
		l.publish(m)
	}
	l.topics.Deliver(m)
}

func (l *testLoop) Enqueue(m *hub.Message) { l.Post(0, 0, func() { l.desk.Shard.Deliver(m) }) }

func (l *testLoop) Post(_, _ int, f func()) bool {
	l.mu.Lock()
	l.tasks = append(l.tasks, f)
	l.mu.Unlock()
	select {
	case l.bell <- struct{}{}:
	default:
	}
	return true
}

func (l *testLoop) run(ctx context.Context) {
	for {
		select {
		case <-l.bell:
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
		tasks := l.tasks
		l.tasks = nil
		l.mu.Unlock()
		for _, f := range tasks {
			f()
		}
	}
}

// do calls f on the loop, and returns when that is done.
func (l *testLoop) do(f func()) {
	done := make(chan struct{})
	l.Post(0, 0, func() {
		f()
		close(done)
	})
	<-done
}

// A testLine is the connection of a client.
type testLine struct {
	loop   *testLoop
	client *Client
	closed bool
	send   func(phoenix.ServerFrame) // is told what the client is sent
}

func (l *testLoop) connect(token *auth.Token) *testLine {
	line := &testLine{loop: l}
	line.client = &Client{
		Desk: l.desk, Line: line, Version: phoenix.V2, Token: token, TenantID: "acme", Tenant: l.handle, Meters: l.meters,
	}
	return line
}

func (line *testLine) Send(frame []byte, _ bool) {
	if line.closed || line.send == nil {
		return
	}
	payload, text := unframe(frame)
	f, err := phoenix.DecodeServer(phoenix.V2, text, payload)
	if err != nil {
		line.loop.t.Errorf("sent %q: %v", payload, err)
	}
	line.send(f)
}

// unframe returns what is in a WebSocket frame of the server. RFC 6455, 5.2.
func unframe(frame []byte) (payload []byte, text bool) {
	head := 2
	switch frame[1] {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	return frame[head:], frame[0]&15 == 1
}

func (line *testLine) Hangup(int, string) {
	if !line.closed {
		line.closed = true
		line.client.Gone()
	}
}

func (line *testLine) After(d time.Duration, f func()) (stop func()) {
	l, over := line.loop, false
	l.armed++
	end := func() {
		if !over {
			over = true
			l.armed--
		}
	}
	fire := func() {
		l.Post(0, 0, func() {
			if over {
				return
			}
			end()
			if !line.closed {
				f()
			}
		})
	}
	if d <= 0 {
		fire()
		return end
	}
	timer := time.AfterFunc(d, fire)
	return func() {
		timer.Stop()
		end()
	}
}

// push gives the client a text frame.
func (line *testLine) push(event, topic, payload string) {
	if !line.closed {
		line.client.Receive(&phoenix.Frame{
			JoinRef: phoenix.Ref(`"1"`), Ref: phoenix.Ref(`"2"`), Topic: []byte("realtime:" + topic), Event: event, Payload: []byte(payload),
		})
	}
}

// mint returns a token of a role, with something that tells it from others.
func mint(t *testing.T, role string, number int) string {
	text, err := auth.Mint(secret, map[string]any{"role": role, "sub": role, "n": number, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// A runner plays one load. Everything in it belongs to the loop.
type runner struct {
	settings *Command
	to       target
	server   process
	poller   poller
	scenario scenario

	began    time.Time
	conns    []*conn
	hello    []byte // the handshake
	nonce    string // in topics, so that two runs do not hear each other
	opening  int    // connections that were dialed and neither joined nor ended
	joined   int    // connections that are joined now
	beats    wheel
	progress progress
	scratch  []byte // a message for the server
	framed   []byte // the same as a frame

	failures  tally
	connect   Histogram
	heartbeat Histogram
	late      Histogram
}

// A scenario is what the connections do once they are there.
type scenario interface {
	// join returns the topic that a connection joins, as it stands on the wire,
	// and the payload of its join.
	join(id int) (topic, payload []byte)
	// receive takes a message, and says whether it was meant for it.
	receive(c *conn, m message) bool
	// play runs the load while all are joined, and fills its part of the report.
	play(ctx context.Context, report *Report) error
}

// A message came for a connection.
type message struct {
	text bool
	data []byte
	at   time.Duration // since the run began
}

// patience is how long a connection may take to be joined, and how long the last
// deliveries may take after the last message was sent.
const patience = 15 * time.Second

// glance is how often the loop looks at its context and at the terminal.
const glance = 100 * time.Millisecond

func newRunner(settings *Command, to target, server process) (*runner, error) {
	r := &runner{
		settings: settings, to: to, server: server,
		began: time.Now(), hello: to.request(), failures: tally{},
		nonce:    fmt.Sprintf("%08x", rand.Uint32()),
		conns:    make([]*conn, settings.total()),
		progress: progress{out: settings.Progress},
	}
	for i := range r.conns {
		r.conns[i] = &conn{id: i}
		r.conns[i].reader.Limit, r.conns[i].reader.Unmasked = maxMessage, true
	}
	switch settings.Kind {
	case Idle:
		r.scenario = &idle{runner: r}
	case Presence:
		r.scenario = newCrowd(r)
	default:
		r.scenario = newTalk(r)
	}
	var err error
	r.poller, err = newPoller(r)
	return r, err
}

func (r *runner) close() {
	for _, c := range r.conns {
		if c.wire != nil && c.state != ended {
			c.wire.close()
		}
	}
	r.poller.close()
}

// now is how long the run has lasted.
func (r *runner) now() time.Duration { return time.Since(r.began) }

// run plays the load from the first connection to the report.
func (r *runner) run(ctx context.Context) (*Report, error) {
	report := &Report{Kind: r.settings.Kind, URL: r.settings.URL, Connections: len(r.conns)}
	before, err := r.server.sample()
	if err != nil {
		return nil, fmt.Errorf("look at the server's process: %w", err)
	}
	r.connectAll(ctx)
	defer r.progress.clear()
	joined, err := r.server.sample()
	if err != nil {
		return nil, fmt.Errorf("look at the server's process: %w", err)
	}
	report.Joined = r.joined
	lost := r.joined == 0
	if !lost && ctx.Err() == nil {
		if err := r.scenario.play(ctx, report); err != nil {
			return nil, err
		}
	}
	after, err := r.server.sample()
	if err != nil {
		return nil, fmt.Errorf("look at the server's process: %w", err)
	}
	r.settle(report, before, joined, after)
	report.Interrupted = ctx.Err() != nil
	if lost && ctx.Err() == nil {
		return report, fmt.Errorf("no connection to %s is joined: %s", r.settings.URL, report.Failures[0].Reason)
	}
	return report, nil
}

// settle fills in what all kinds of load have in common.
func (r *runner) settle(report *Report, before, joined, after sample) {
	report.Connect, report.Heartbeats, report.LateBy = r.connect.Spread(), r.heartbeat.Spread(), r.late.Spread()
	report.Failures = r.failures.list()
	if r.server.pid == 0 {
		return
	}
	u := &Usage{RSSBefore: before.rss, RSSJoined: joined.rss, RSSAfter: after.rss}
	if spent := report.spent; spent.wall > 0 {
		u.CPUSeconds = spent.cpu.Seconds()
		u.Cores = spent.cpu.Seconds() / spent.wall.Seconds()
		if m := report.Messages; m != nil && m.Deliveries > 0 {
			u.MicrosPerDelivery = float64(spent.cpu.Microseconds()) / float64(m.Deliveries)
		}
	}
	if report.Joined > 0 {
		u.MicrosPerJoin = float64((joined.cpu - before.cpu).Microseconds()) / float64(report.Joined)
		u.BytesPerConnection = float64(after.rss-before.rss) / float64(report.Joined)
	}
	report.Process = u
}

// A plan does what is due now. It returns when it wants to be asked again, and
// whether it is finished.
type plan func(now time.Duration) (next time.Duration, finished bool)

// pump lets the connections live while the plan goes on. It ends when the plan
// is finished, at the time until, or with ctx.
func (r *runner) pump(ctx context.Context, until time.Duration, p plan) {
	var look time.Duration
	for {
		now := r.now()
		if now >= look {
			if ctx.Err() != nil {
				return
			}
			r.beat(now)
			r.progress.show(now, r)
			look = now + glance
		}
		next, finished := p(now)
		if finished || now >= until {
			return
		}
		r.poller.wait(min(next, until, look) - r.now())
	}
}

// hold is the plan to do nothing but live.
func hold(now time.Duration) (time.Duration, bool) { return now + time.Hour, false }

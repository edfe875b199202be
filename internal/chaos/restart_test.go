//go:build linux

package chaos

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	notReady = 400 * time.Millisecond // DRAIN_DELAY_MS
	spread   = 1500 * time.Millisecond
)

// A node that says that it is ready serves, with a database that is new to it as
// well. Whom it hears by then is not promised: it cannot know who is still to come.
func TestReadyMeansReady(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{eager: true})
	var all []*guest
	for _, p := range trio {
		g := &guest{stage: s, name: "guest-" + p.String(), sub: stranger, token: token(t, "authenticated", stranger), wish: wish{presence: true}}
		if err := g.come(t.Context(), p); err != nil {
			t.Fatalf("node %v says that it is ready: %v", p, err)
		}
		all = append(all, g)
		if st, err := s.nodes[p].status(t.Context()); err != nil {
			t.Error(err)
		} else {
			t.Logf("node %v is ready, and hears %v", p, st.hears())
		}
	}
	s.agree(all, patience)
}

// All nodes are stopped and started one after another, while clients come back
// to the others.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{env: []string{"DRAIN_DELAY_MS=400", "DRAIN_SPREAD_MS=1500"}})
	all, end := s.play(5)
	stay := s.wander(all)
	for _, p := range trio {
		s.restart(p, all)
		s.await("everybody is back", patience, func() bool { return len(on(all, a, b, c)) == len(all) })
		s.settled(all)
	}
	stay()
	end()
	if s.talk.lost > 0 {
		t.Errorf("%d broadcasts were lost of clients who stayed", s.talk.lost)
	}
}

// restart stops a node as its operator does and starts it again. It is first not
// ready, and then closes its clients one after another.
func (s *stage) restart(p place, all []*guest) {
	s.Helper()
	n := s.nodes[p]
	var before, stay []*session
	for _, g := range on(all, p) {
		before = append(before, g.session())
	}
	for _, g := range on(all, others(p)...) {
		stay = append(stay, g.session())
	}
	since := time.Now()
	n.signal(s.T, syscall.SIGTERM)
	ctx, cancel := context.WithDeadline(s.Context(), since.Add(notReady))
	defer cancel()
	at, ok := poll(ctx, func(ctx context.Context) bool { ready, _ := n.ready(ctx); return !ready })
	if !ok {
		s.Errorf("node %v was told to stop, and says that it is ready %v later", p, notReady)
	}
	unready := at.Sub(since)
	n.await(s.T, patience)
	down := time.Since(since)
	first, last := s.closes(before, since)
	s.Logf("node %v restarted: not ready %v, %d closes from %v to %v, ended %v",
		p, unready.Round(time.Millisecond), len(before), first.Round(time.Millisecond), last.Round(time.Millisecond), down.Round(time.Millisecond))
	s.revive(p)
	if s.dsn != "" {
		var longest time.Duration
		for _, c := range stay {
			longest = max(longest, c.silence(since, since.Add(down)))
		}
		s.Logf("guests of other nodes heard no change for %v at most", longest.Round(time.Millisecond))
	}
}

// closes returns when the first and the last of some sessions were closed.
func (s *stage) closes(all []*session, since time.Time) (first, last time.Duration) {
	s.Helper()
	first = time.Hour
	for _, c := range all {
		<-c.gone
		if c.code != websocket.StatusServiceRestart {
			s.Errorf("%s on node %v was closed with %d %q, not 1012", c.name, c.node, c.code, c.why)
		}
		first, last = min(first, c.ended.Sub(since)), max(last, c.ended.Sub(since))
	}
	if len(all) > 2 && last-first < spread/2 {
		s.Errorf("clients were closed within %v, and not over %v", last-first, spread)
	}
	if len(all) > 0 && first < notReady {
		s.Errorf("a client was closed %v after the stop, before load balancers can know", first)
	}
	return first, last
}

// A node that reaches nothing any more can be stopped all the same. What says
// goodbye to databases and nodes in vain may take a little beyond the grace.
func TestNodeStoppedThatIsCutOff(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{env: []string{"SHUTDOWN_GRACE_MS=5000", "DRAIN_SPREAD_MS=300"}})
	all, end := s.play(1)
	owner, _ := s.ownerAnd()
	gone := on(all, owner)
	s.cutOff(owner, append(others(owner), services)...)
	s.pass(300 * time.Millisecond)
	since := time.Now()
	s.nodes[owner].signal(t, syscall.SIGTERM)
	s.nodes[owner].await(t, 5*time.Second+8*time.Second)
	t.Logf("node %v ended %v after it was told to", owner, time.Since(since).Round(time.Millisecond))
	for _, g := range gone {
		c := g.session()
		<-c.gone
		if c.code != websocket.StatusServiceRestart {
			t.Errorf("%s: %s", c.name, c.story())
		}
	}
	s.mend()
	s.revive(owner)
	end()
}

// Two releases that differ in a minor version of the envelope are one cluster.
func TestTwoEnvelopes(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{programs: [places]string{b: tomorrow}})
	all, end := s.play(2)
	s.pass(time.Second)
	s.agree(all, patience)
	// One more node is brought up to date, and then the first goes back.
	for _, change := range []struct {
		p       place
		program string
	}{{a, tomorrow}, {b, today}} {
		gone := on(all, change.p)
		s.nodes[change.p].program = change.program
		s.nodes[change.p].signal(t, syscall.SIGTERM)
		s.nodes[change.p].await(t, patience)
		s.move(gone, others(change.p)...)
		s.revive(change.p)
		back := gone[:1]
		back[0].session().end()
		s.move(back, change.p)
		s.settled(all)
	}
	s.pass(time.Second)
	end()
	if s.talk.lost > 0 {
		t.Errorf("%d broadcasts were lost between releases", s.talk.lost)
	}
}

// PostgreSQL goes and comes back under all nodes.
func TestPostgreSQLRestarted(t *testing.T) {
	t.Parallel()
	server, err := startPostgreSQL(t.Context())
	if err != nil {
		t.Skipf("no PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	dsn, err := prepare(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, plan{dsn: dsn})
	all, end := s.play(2)
	for _, stop := range []struct {
		how string
		do  func(context.Context) error
	}{{"stopped", func(context.Context) error { return nil }}, {"killed", server.Kill}} {
		since := time.Now()
		if err := stop.do(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		up := time.Now()
		s.Logf("PostgreSQL %s and started in %v", stop.how, up.Sub(since).Round(time.Millisecond))
		s.healed(all, up)
	}
	end()
	if gone := slices.IndexFunc(all, func(g *guest) bool { return !g.session().live() }); gone >= 0 {
		t.Errorf("%s was hung up on", all[gone].name)
	}
	if s.talk.lost > 0 {
		t.Errorf("%d broadcasts were lost, which need no database", s.talk.lost)
	}
}

//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A guest is a client through all of its sessions.
type guest struct {
	stage *stage
	name  string // its presence key
	sub   string
	token string
	wish  wish

	latest *session // guarded by the stage's mu
}

// invite makes clients, so many on each of these nodes, and waits until all are
// in the room as they wish.
func (s *stage) invite(each int, w wish, at ...place) (all []*guest) {
	s.Helper()
	w.rows = w.rows && s.dsn != ""
	for _, p := range at {
		for range each {
			s.mu.Lock()
			s.guests++
			g := &guest{stage: s, name: fmt.Sprintf("guest-%d", s.guests), sub: fmt.Sprintf("%08d-0000-4000-8000-000000000000", s.guests), wish: w}
			s.mu.Unlock()
			g.token = token(s.T, "authenticated", g.sub)
			if w.rows {
				if err := execute(s.Context(), s.dsn, `INSERT INTO readers VALUES ($1)`, g.sub); err != nil {
					s.Fatal(err)
				}
			}
			s.writer.also(g.sub)
			all = append(all, g)
			if err := g.come(s.Context(), p); err != nil {
				s.Fatal(err)
			}
		}
	}
	s.settled(all)
	return all
}

// session returns the guest's latest session.
func (g *guest) session() *session {
	g.stage.mu.Lock()
	defer g.stage.mu.Unlock()
	return g.latest
}

// joinPatience is how long a guest waits for the answer to a join, as long as
// client libraries do at most.
const joinPatience = 10 * time.Second

// come connects the guest to a node and joins the room.
func (g *guest) come(ctx context.Context, at place) error { return g.comeTo(ctx, at, room) }

func (g *guest) comeTo(ctx context.Context, at place, topic string) error {
	s := g.stage
	conn := &session{name: g.name, sub: g.sub, node: at, topic: topic}
	if err := connect(ctx, s.http, s.nodes[at].http, g.token, conn, g.wish); err != nil {
		return err
	}
	beside(s.T, conn.run)
	s.mu.Lock()
	s.sessions = append(s.sessions, conn)
	g.latest = conn
	s.mu.Unlock()
	waiting, cancel := context.WithTimeoutCause(ctx, joinPatience, fmt.Errorf("the join of %s has no answer", g.name))
	defer cancel()
	err := conn.until(waiting, func() bool { return !conn.joined.IsZero() || conn.refused != "" })
	if err != nil {
		conn.end()
		return err
	}
	if conn.refused != "" {
		conn.end()
		return fmt.Errorf("the join of %s was refused: %s", g.name, conn.refused)
	}
	if g.wish.presence {
		return conn.push(ctx, "presence", map[string]any{"type": "presence", "event": "track", "payload": map[string]any{"name": g.name}})
	}
	return nil
}

// settled waits until the guests have all that they wish for.
func (s *stage) settled(all []*guest) {
	s.Helper()
	ctx, cancel := context.WithTimeoutCause(s.Context(), patience, fmt.Errorf("it takes longer than %v", patience))
	defer cancel()
	for _, g := range all {
		c := g.session()
		if err := c.until(ctx, func() bool { return !g.wish.rows || !c.subscribed.IsZero() }); err != nil {
			s.Fatalf("%s on node %v was not subscribed to rows: %v; %v", g.name, c.node, err, c.troubles)
		}
	}
	s.agree(all, patience)
}

// agree waits until all of the guests who see presences, and are there, know of
// each other and nobody else, and returns when the last of them came to know.
func (s *stage) agree(all []*guest, within time.Duration) (at time.Time) {
	s.Helper()
	var last string
	deadline := time.Now().Add(within)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if at, last = s.differ(all); last == "" {
			return at
		}
		if time.Now().After(deadline) {
			s.Fatalf("after %v nobody agrees on who is there: %s", within, last)
		}
		select {
		case <-tick.C:
		case <-s.Context().Done():
			s.Fatal(s.Context().Err())
		}
	}
}

// differ says who sees what is not so, "" for nobody, and when somebody's view
// changed last.
func (s *stage) differ(all []*guest) (at time.Time, what string) {
	var here []string
	for _, g := range all {
		if g.wish.presence && g.session().live() {
			here = append(here, g.name)
		}
	}
	slices.Sort(here)
	for _, g := range all {
		c := g.session()
		if !g.wish.presence || !c.live() {
			continue
		}
		c.mu.Lock()
		var seen []string
		for key, refs := range c.present {
			for range refs {
				seen = append(seen, key)
			}
		}
		if c.moved.After(at) {
			at = c.moved
		}
		c.mu.Unlock()
		slices.Sort(seen)
		if !slices.Equal(seen, here) {
			return at, fmt.Sprintf("%s on node %v sees %v, but there are %v", g.name, c.node, seen, here)
		}
	}
	return at, ""
}

// on returns the guests whose session is with one of these nodes and lasts.
func on(all []*guest, at ...place) (some []*guest) {
	for _, g := range all {
		if slices.Contains(at, g.session().node) && g.session().live() {
			some = append(some, g)
		}
	}
	return some
}

// wander has guests whose connection ends come to another node that is there, as
// client libraries do, until the returned function is called.
func (s *stage) wander(all []*guest) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.Context()))
	var wg sync.WaitGroup
	for i, g := range all {
		wg.Go(func() {
			for {
				left := g.session()
				select {
				case <-left.gone:
				case <-ctx.Done():
					return
				}
				to := others(left.node)
				for try := i; ; try++ {
					if g.come(ctx, to[try%len(to)]) == nil {
						break
					}
					select {
					case <-time.After(time.Duration(50+rand.IntN(150)) * time.Millisecond):
					case <-ctx.Done():
						return
					}
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	s.Cleanup(stop)
	return stop
}

// others returns the nodes but one.
func others(p place) (rest []place) {
	for _, o := range trio {
		if o != p {
			rest = append(rest, o)
		}
	}
	return rest
}

// move has guests come to nodes, in turn, all at once.
func (s *stage) move(all []*guest, to ...place) {
	s.Helper()
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	for i, g := range all {
		wg.Go(func() {
			if err := g.come(ctx, to[i%len(to)]); err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
	if s.Failed() {
		s.FailNow()
	}
}

// A talk is broadcasts of guests, all the time.
type talk struct {
	mu   sync.Mutex // guards all below
	last int64
	said map[int64]word
	lost int // of all that were there well before and after; set by words
}

// A word is one broadcast.
type word struct {
	at   time.Time
	from *session
}

// chat has each guest send about so many broadcasts a second, while it is there,
// until the returned function is called.
func (s *stage) chat(all []*guest, perSecond int) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond*len(all)))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			c := all[i%len(all)].session()
			if c.live() {
				_ = s.say(context.WithoutCancel(ctx), c) // one that is hung up on meanwhile has said nothing
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	s.Cleanup(stop)
	return stop
}

// say sends one broadcast.
func (s *stage) say(ctx context.Context, c *session) error {
	s.talk.mu.Lock()
	s.talk.last++
	id := s.talk.last
	s.talk.said[id] = word{time.Now(), c}
	s.talk.mu.Unlock()
	err := c.push(ctx, "broadcast", map[string]any{"type": "broadcast", "event": "word", "payload": map[string]any{"id": id}})
	if err != nil {
		s.talk.mu.Lock()
		defer s.talk.mu.Unlock()
		delete(s.talk.said, id)
	}
	return err
}

//go:build linux

package chaos

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is within which a cluster has got over the loss of a node.
const soon = 4*lost + 3*time.Second

// play has guests on all nodes, rows written and broadcasts sent. The returned
// function ends both and asks whether all promises were kept.
func (s *stage) play(each int) (all []*guest, end func()) {
	s.Helper()
	all = s.invite(each, wish{rows: true, presence: true}, a, b, c)
	write := func() {}
	if s.dsn != "" {
		write = s.writer.start(s.T)
	}
	chat := s.chat(all, 5)
	s.pass(500 * time.Millisecond)
	return all, func() {
		s.Helper()
		write()
		chat()
		s.close()
	}
}

// ownerAnd returns the node that reads the slot, and one that does not.
func (s *stage) ownerAnd() (owner, follower place) {
	s.Helper()
	if s.dsn == "" {
		return a, b
	}
	owner = s.mustRead()
	return owner, others(owner)[0]
}

// revive starts a node again and waits until it is one of the cluster.
func (s *stage) revive(p place) {
	s.Helper()
	began := time.Now()
	s.nodes[p].start(s.T)
	s.await("the node is back", patience, s.whole)
	s.Logf("node %v is back and whole after %v", p, time.Since(began).Round(time.Millisecond))
}

func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	all, end := s.play(2)
	owner, _ := s.ownerAnd()
	s.killed(owner, all, s.dsn != "")
	end()
}

func TestFollowerKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	all, end := s.play(2)
	_, follower := s.ownerAnd()
	s.killed(follower, all, false)
	end()
}

// killed kills a node, looks how the others get over it, has its guests come to
// them and the node come back.
func (s *stage) killed(victim place, all []*guest, feed bool) {
	s.Helper()
	homeless := on(all, victim)
	since := time.Now()
	s.nodes[victim].kill(s.T)
	r := s.recover(watch{since: since, victim: victim, guests: all, feed: feed, within: soon})
	s.Logf("node %v killed: %v", victim, r)
	s.promise("presences of a killed node leave", r.clean, lost)
	s.move(homeless, others(victim)...)
	s.settled(all)
	s.revive(victim)
	moved := on(all, others(victim)[0])[:1]
	moved[0].session().end()
	s.move(moved, victim)
	s.settled(all)
}

// promise fails when something took longer than it may, and the machine has not
// held up everybody for so long.
func (s *stage) promise(what string, took, most time.Duration) {
	s.Helper()
	if stall := time.Duration(s.stall.Load()); took > most+most/10+5*stall {
		s.Errorf("%s after %v, and it may take %v; the machine stood still for %v at most", what, took, most, stall)
	}
}

// A machine that is gone says no more at all: nothing is reset, nothing refused.
func TestOwnersMachineGone(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	all, end := s.play(2)
	owner, _ := s.ownerAnd()
	since := time.Now()
	for _, p := range append(others(owner), services) {
		s.cut(owner, p)
		s.cut(p, owner)
	}
	s.nodes[owner].kill(t)
	r := s.recover(watch{since: since, victim: owner, guests: all, feed: s.dsn != "", within: soon})
	s.Logf("machine of node %v gone: %v", owner, r)
	s.mend()
	s.revive(owner)
	end()
}

func TestOwnerFrozen(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	all, end := s.play(2)
	owner, _ := s.ownerAnd()
	since := time.Now()
	s.nodes[owner].signal(t, syscall.SIGSTOP)
	r := s.recover(watch{since: since, victim: owner, guests: all, feed: s.dsn != "", within: soon})
	s.Logf("node %v, owner, frozen: %v", owner, r)
	s.thaw(owner, since, either(4*time.Second, 8*time.Second), all)
	end()
}

// thaw has a frozen node go on, some time after it was frozen, and waits until
// all is as it was.
func (s *stage) thaw(victim place, since time.Time, after time.Duration, all []*guest) {
	s.Helper()
	s.pass(time.Until(since.Add(after)))
	thawed := time.Now()
	s.nodes[victim].signal(s.T, syscall.SIGCONT)
	s.healed(all, thawed)
}

// healed waits until all hear each other again and rows reach everybody.
func (s *stage) healed(all []*guest, since time.Time) {
	s.Helper()
	whole := s.await("the nodes are one cluster again", patience, s.whole).Sub(since)
	clean := s.agree(all, patience).Sub(since)
	var first time.Duration
	if s.dsn != "" {
		s.await("rows reach everybody again", patience, func() bool {
			first = s.firstOf(on(all, a, b, c), since)
			return first > 0
		})
	}
	s.Logf("healed: cluster whole %v, presence whole %v, first change everywhere %v",
		whole.Round(time.Millisecond), max(0, clean).Round(time.Millisecond), first.Round(time.Millisecond))
}

// What a follower misses while it stands still is more than the owner keeps for
// it in memory.
func TestFollowerFrozenBeyondTheWindow(t *testing.T) {
	t.Parallel()
	needPostgreSQL(t)
	s := newStage(t, plan{})
	all, end := s.play(1)
	_, follower := s.ownerAnd()
	since := time.Now()
	s.nodes[follower].signal(t, syscall.SIGSTOP)
	// 12 MB, and a row in a hundred is for somebody here.
	one := on(all, follower)[0].sub
	for range 3 {
		err := s.writer.bulk(t.Context(), 20, 100, 2000, func(i int) string {
			if i%100 == 0 {
				return one
			}
			return stranger
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r := s.recover(watch{since: since, victim: follower, guests: all, within: soon})
	s.Logf("node %v, follower, frozen: %v", follower, r)
	s.thaw(follower, since, either(4*time.Second, 8*time.Second), all)
	end()
}

// The log is not kept for a node for ever. What it misses then its clients are
// told, and nobody else.
func TestFollowerFrozenForLongerThanTheLogIsKept(t *testing.T) {
	t.Parallel()
	needPostgreSQL(t)
	s := newStage(t, plan{env: []string{"FEED_KEEP_MS=1500"}})
	all, end := s.play(1)
	_, follower := s.ownerAnd()
	since := time.Now()
	s.nodes[follower].signal(t, syscall.SIGSTOP)
	s.pass(time.Until(since.Add(lost + 4*time.Second)))
	s.nodes[follower].signal(t, syscall.SIGCONT)
	s.await("clients of the node are told", patience, func() bool { return on(all, follower)[0].session().wasTold(changesLost) })
	s.settled(all)
	for _, g := range on(all, others(follower)...) {
		if g.session().wasTold(changesLost) {
			t.Errorf("%s was told that changes were lost, and its node missed nothing", g.name)
		}
	}
	s.pass(500 * time.Millisecond)
	s.lossy = true
	end()
}

// wasTold reports whether a trouble was told.
func (c *session) wasTold(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.troubles, func(s string) bool { return strings.Contains(s, what) })
}

// A transaction that travels in parts is heard whole by everybody, also when its
// reader dies in the middle of it.
func TestOwnerKilledInALargeTransaction(t *testing.T) {
	t.Parallel()
	needPostgreSQL(t)
	s := newStage(t, plan{})
	all, end := s.play(1)
	owner, _ := s.ownerAnd()
	count := 20_000
	one := on(all, others(owner)...)[0].sub
	err := s.writer.bulk(t.Context(), 1, count, 300, func(i int) string {
		if i%20 == 0 {
			return one
		}
		return stranger
	})
	if err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	s.nodes[owner].kill(t)
	r := s.recover(watch{since: since, victim: owner, guests: all, feed: true, within: soon})
	s.Logf("node %v killed in a transaction of %d rows: %v", owner, count, r)
	end()
}

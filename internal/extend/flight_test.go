package extend

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A tale is what became of numbered events.
type tale struct {
	sent   int
	heard  map[string]int // by name
	denied map[string]bool
}

// talk has a musician say one event after another, for a while.
func (s *tale) talk(m *musician, random *rand.Rand, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); s.sent++ {
		m.say(fmt.Sprint("n", s.sent))
		time.Sleep(time.Duration(random.IntN(15)) * time.Millisecond)
	}
}

// look finds out what has become of the events of a musician.
func (s *tale) look(w *web, m *musician) {
	s.heard, s.denied = map[string]int{}, map[string]bool{}
	for _, n := range w.nodes {
		for _, line := range n.journal.take() {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "hear" {
				s.heard[f[2]]++
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, line := range m.heard {
		if text, is := strings.CutPrefix(line, tutti.ExtensionError+" "); is && strings.Contains(text, tutti.ExtensionRoomMoved) {
			_, name, _ := strings.Cut(text, `"event":"`)
			s.denied[strings.TrimSuffix(name, `"}`)] = true
		}
	}
}

func TestNoEventIsLostWhenARoomMoves(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			w := newWeb(t, seed, "a", "b", "c")
			defer w.end()
			a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
			ann := a.enter("ann")
			time.Sleep(time.Second)
			bob, cat := b.enter("bob"), c.enter("cat")
			w.settled(a, "ann", "bob", "cat")
			var told tale
			random := rand.New(rand.NewPCG(seed, 2))
			told.talk(bob, random, 200*time.Millisecond)
			ann.Leave()
			told.talk(bob, random, 300*time.Millisecond)
			cat.Leave()
			told.talk(bob, random, 200*time.Millisecond)
			w.settled(b, "bob")
			told.look(w, bob)
			for i := range told.sent {
				if name := fmt.Sprint("n", i); told.heard[name] != 1 {
					t.Errorf("seed %d: %s of %d is heard %d times; denied: %v", seed, name, told.sent, told.heard[name], told.denied[name])
				}
			}
		})
	}
}

// An event that has come to the owner, which has said so, still has not been heard by
// the actor: it was busy until the room was given away.
func TestNoEventIsLostThatWaitsWhenARoomMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWeb(t, 1, "a", "b")
		defer w.end()
		a, b := w.nodes[0], w.nodes[1]
		ann := a.enter("ann")
		time.Sleep(time.Second)
		bob := b.enter("bob")
		w.settled(a, "ann", "bob")
		bob.say("hang")
		told := tale{sent: heardEvery + 10}
		for i := range told.sent {
			bob.say(fmt.Sprint("n", i))
		}
		time.Sleep(3 * time.Second) // for some beats
		ann.Leave()
		close(a.stuck)
		w.settled(b, "bob")
		time.Sleep(2 * patience)
		synctest.Wait()
		told.look(w, bob)
		for i := range told.sent {
			if name := fmt.Sprint("n", i); told.heard[name] != 1 || told.denied[name] {
				t.Errorf("%s of %d is heard %d times; denied: %v", name, told.sent, told.heard[name], told.denied[name])
			}
		}
	})
}

// What waits for an actor is late and not lost: nobody is told to send it again.
func TestAnEventThatWaitsIsNotGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWebOf(t, 1, func(w *web) {
			for _, n := range w.nodes {
				n.host.Stall = time.Minute
			}
		}, "a", "b")
		defer w.end()
		a, b := w.nodes[0], w.nodes[1]
		a.enter("ann")
		time.Sleep(time.Second)
		bob := b.enter("bob")
		w.settled(a, "ann", "bob")
		bob.say("hang")
		bob.say("n0")
		time.Sleep(2 * patience)
		close(a.stuck)
		time.Sleep(patience)
		synctest.Wait()
		told := tale{sent: 1}
		told.look(w, bob)
		if told.heard["n0"] != 1 || len(told.denied) > 0 {
			t.Errorf("it is heard %d times; denied: %v", told.heard["n0"], told.denied)
		}
		for _, r := range b.host.all() {
			r.mu.Lock()
			if len(r.flights) != 0 {
				t.Errorf("%d flights are left", len(r.flights))
			}
			r.mu.Unlock()
		}
	})
}

func TestWhoseEventMayBeLostHearsSo(t *testing.T) {
	t.Parallel()
	lost := 0
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			w := newWeb(t, seed, "a", "b", "c")
			defer w.end()
			a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
			a.enter("ann")
			time.Sleep(time.Second)
			bob := b.enter("bob")
			c.enter("cat")
			w.settled(a, "ann", "bob", "cat")
			var told tale
			random := rand.New(rand.NewPCG(seed, 2))
			told.talk(bob, random, 1500*time.Millisecond)
			w.mu.Lock()
			a.dead = true // which the others find out later
			w.mu.Unlock()
			told.talk(bob, random, 300*time.Millisecond)
			w.kill(a)
			told.talk(bob, random, 300*time.Millisecond)
			time.Sleep(15 * time.Second)
			synctest.Wait()
			told.look(w, bob)
			for i := range told.sent {
				name := fmt.Sprint("n", i)
				if told.heard[name] > 1 || told.heard[name] == 0 && !told.denied[name] {
					t.Errorf("seed %d: %s of %d is heard %d times; denied: %v", seed, name, told.sent, told.heard[name], told.denied[name])
				}
				if told.heard[name] == 0 {
					lost++
				}
			}
			if len(told.denied) > 200 {
				t.Errorf("%d are denied of %d", len(told.denied), told.sent)
			}
		})
	}
	if lost == 0 {
		t.Error("nothing was lost: the test shows nothing")
	}
}

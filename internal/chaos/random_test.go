//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Faults follow and overlap each other at random, and when all are undone all is
// as it should be. TUTTI_CHAOS_SEED repeats the order of a run.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("TUTTI_CHAOS_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("TUTTI_CHAOS_SEED=%d", seed)
	s := newStage(t, plan{env: []string{"DRAIN_SPREAD_MS=300"}})
	all, end := s.play(3)
	stay := s.wander(all)
	h := &havoc{stage: s, random: rand.New(rand.NewPCG(seed, 0)), frozen: map[place]bool{}}
	rounds := 1
	if long() {
		rounds = 10
	}
	for range rounds {
		h.rage(either(8*time.Second, 20*time.Second))
		since := time.Now()
		h.undo()
		s.await("everybody is back", 2*patience, func() bool { return len(on(all, a, b, c)) == len(all) })
		s.settled(all)
		s.healed(all, since)
		t.Logf("faults: %s", strings.Join(h.done, ", "))
		h.done = nil
	}
	stay()
	end()
}

// A havoc is what is broken at a moment.
type havoc struct {
	stage  *stage
	random *rand.Rand
	frozen map[place]bool
	dead   []place
	cuts   int
	done   []string // what was done, in words
}

// rage breaks and mends for some time.
func (h *havoc) rage(d time.Duration) {
	h.stage.Helper()
	for until := time.Now().Add(d); time.Now().Before(until); {
		h.step(place(h.random.IntN(len(trio))))
		h.stage.pass(200*time.Millisecond + time.Duration(h.random.IntN(1200))*time.Millisecond)
	}
}

func (h *havoc) say(format string, args ...any) {
	h.done = append(h.done, fmt.Sprintf(format, args...))
}

// step does something to a node, and mends what is broken already.
func (h *havoc) step(p place) {
	s, n := h.stage, h.stage.nodes[p]
	switch {
	case slices.Contains(h.dead, p):
		h.start(p)
	case h.frozen[p]:
		h.thaw(p)
	case len(h.dead)+len(h.frozen) == len(trio)-1:
		h.thawAll() // one node is left
	default:
		switch h.random.IntN(6) {
		case 0:
			h.say("kill %v", p)
			n.kill(s.T)
			h.dead = append(h.dead, p)
		case 1:
			h.say("stop %v", p)
			n.signal(s.T, syscall.SIGTERM)
			n.await(s.T, patience)
			h.dead = append(h.dead, p)
		case 2:
			h.say("freeze %v", p)
			n.signal(s.T, syscall.SIGSTOP)
			h.frozen[p] = true
		default:
			h.cut(p)
		}
	}
}

// cut cuts a node from another place, in one direction or both, or mends all.
func (h *havoc) cut(p place) {
	if h.cuts == 2 {
		h.mend()
		return
	}
	h.cuts++
	to := (p + 1 + place(h.random.IntN(int(places)-1))) % places
	if h.random.IntN(2) == 0 {
		h.say("cut %v to %v", p, to)
		h.stage.cut(p, to)
		return
	}
	h.say("cut %v from %v", p, to)
	h.stage.cutOff(p, to)
}

func (h *havoc) mend() {
	h.say("mend")
	h.stage.mend()
	h.cuts = 0
}

func (h *havoc) start(p place) {
	h.say("start %v", p)
	h.stage.nodes[p].start(h.stage.T)
	h.dead = slices.DeleteFunc(h.dead, func(o place) bool { return o == p })
}

func (h *havoc) thaw(p place) {
	h.say("thaw %v", p)
	h.stage.nodes[p].signal(h.stage.T, syscall.SIGCONT)
	delete(h.frozen, p)
}

func (h *havoc) thawAll() {
	for _, p := range trio {
		if h.frozen[p] {
			h.thaw(p)
		}
	}
}

// undo mends all.
func (h *havoc) undo() {
	h.mend()
	h.thawAll()
	for _, p := range slices.Clone(h.dead) {
		h.start(p)
	}
}

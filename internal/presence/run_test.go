package presence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A mailbag carries messages between Rosters that run, one at a time for each
// receiver, and loses some.
type mailbag struct {
	rosters []*Roster
	boxes   map[string]chan letter
	lossy   sync.Mutex // guards luck
	luck    *rand.Rand
}

type letter struct {
	from    *Roster
	payload []byte
}

func (m *mailbag) tell(from *Roster) func(string, []byte) {
	return func(to string, payload []byte) {
		m.lossy.Lock()
		lost := m.luck.IntN(10) == 0
		m.lossy.Unlock()
		if lost {
			return
		}
		select {
		case m.boxes[to] <- letter{from, payload}:
		default: // a node that cannot follow
		}
	}
}

func (m *mailbag) read(ctx context.Context, r *Roster) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-m.boxes[r.Node]:
			_ = r.Receive(l.from.Node, l.from.Epoch, l.payload)
		}
	}
}

// TestRostersRunBesideTheirLoops has real goroutines quarrel over the locks.
func TestRostersRunBesideTheirLoops(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := &mailbag{boxes: make(map[string]chan letter), luck: rand.New(rand.NewPCG(seed, 1))}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range 3 {
		r := &Roster{
			Node: fmt.Sprint("node", i), Epoch: uint64(time.Now().UnixNano()), Deliver: func(tutti.Message) {},
			Delay: time.Millisecond, Wait: 5 * time.Millisecond, Compare: 20 * time.Millisecond, Linger: 10 * time.Millisecond,
		}
		r.Tell = m.tell(r)
		m.rosters = append(m.rosters, r)
		m.boxes[r.Node] = make(chan letter, 100)
	}
	for _, r := range m.rosters {
		running.Go(func() { _ = r.Run(ctx) })
		running.Go(func() { m.read(ctx, r) })
		for _, o := range m.rosters {
			r.Joined(o.Node, o.Epoch)
		}
	}
	var loops sync.WaitGroup
	for n, r := range m.rosters {
		for loop := range 2 {
			loops.Go(func() { m.loop(r, uint64(loop), rand.New(rand.NewPCG(seed, uint64(10*n+loop)))) })
		}
	}
	loops.Wait()
	for _, r := range m.rosters {
		r.Listen(room) // for good
	}
	m.waitUntilEqual(t)
	cancel()
	running.Wait()
}

// loop does what an event loop with two clients does.
func (m *mailbag) loop(r *Roster, loop uint64, luck *rand.Rand) {
	ready := make(chan struct{}, 1)
	for i := range 200 {
		r.Listen(room)
		for n := range uint64(2) {
			r.Track(room, 2*loop+n, fmt.Sprint("user", n), fmt.Appendf(nil, `{"i":%d}`, i))
		}
		if r.Await(room, func() { ready <- struct{}{} }) {
			<-ready
		}
		decode[wireState](r.State(room))
		r.Count()
		switch luck.IntN(20) {
		case 0:
			peer := m.rosters[luck.IntN(3)]
			r.Lost(peer.Node, peer.Epoch)
			r.Joined(peer.Node, peer.Epoch)
		case 1, 2, 3:
			r.Untrack(room, 2*loop)
		}
		r.Unlisten(room)
	}
}

func (m *mailbag) waitUntilEqual(t *testing.T) {
	deadline := time.After(20 * time.Second)
	for {
		want := string(m.rosters[0].State(room))
		if want == string(m.rosters[1].State(room)) && want == string(m.rosters[2].State(room)) {
			if topics, entries := m.rosters[0].Count(); topics == 1 && entries >= 6 {
				return
			}
		}
		select {
		case <-deadline:
			for _, r := range m.rosters {
				t.Errorf("%s has %s, %+v", r.Node, r.State(room), r.Stats())
			}
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

package app

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// Publishers on several loops send messages of all sizes, and each receiver
// hears those of each publisher in their order, exactly once.
func TestTheOrderOfMessages(t *testing.T) {
	t.Parallel()
	overTCP(t, func(s *script) {
		const publishers, receivers, messages = 6, 9, 600
		s.unlimited()
		s.flags = append(s.flags, "--loops=4", "--queue-bytes=100000000")
		var talking, listening []*speaker
		for i := range receivers {
			listening = append(listening, s.join(fmt.Sprint("receiver", i), "a"))
		}
		for i := range publishers {
			talking = append(talking, s.join(fmt.Sprint(i), "a"))
		}
		var wg sync.WaitGroup
		for _, c := range listening {
			wg.Go(func() { hearAll(c, publishers, messages) })
		}
		for i, c := range talking {
			wg.Go(func() { // hears the others, as they hear it
				hearAll(c, publishers-1, messages)
			})
			wg.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				var frames []byte
				for n := range messages {
					filler := strings.Repeat("f", random.IntN(2000))
					frames = append(frames, masked(0x81, fmt.Sprintf(`["1",null,"realtime:a","broadcast",{"event":"%s","n":%d,"f":"%s"}]`, c.name, n, filler))...)
					if random.IntN(10) == 0 || n == messages-1 { // often many in one write
						_, _ = c.conn.Write(frames)
						frames = frames[:0]
					}
				}
			})
		}
		wg.Wait()
		for _, c := range append(listening, talking...) {
			c.fence("after") // and nothing else comes
		}
	})
}

// hearAll hears all messages of so many publishers.
func hearAll(c *speaker, publishers, messages int) {
	next := map[string]int{}
	for range publishers * messages {
		f, open := <-c.frames
		if !open {
			c.script.t.Errorf("%s was hung up on", c.name)
			return
		}
		_, after, _ := strings.Cut(string(f.payload), `{"event":"`)
		name, rest, found := strings.Cut(after, `","n":`)
		n := -1
		_, _ = fmt.Sscanf(rest, "%d", &n)
		if !found || n != next[name] {
			c.script.t.Errorf("%s hears %d of %s, want %d: %.100s", c.name, n, name, next[name], f.payload)
			return
		}
		next[name]++
	}
}

// Whatever a client is sent of a topic that it has just joined, the reply to
// the join is the first of it; a channel that the server ends says why, and
// then that it ends.
func TestTheOrderAroundAJoin(t *testing.T) {
	t.Parallel()
	overTCP(t, func(s *script) {
		s.unlimited()
		s.flags = append(s.flags, "--loops=3")
		const join = `["1","1","realtime:a","phx_join",{"config":{"presence":{"enabled":true}}}]`
		stop, stopped := make(chan struct{}), make(chan struct{})
		ann := s.join("ann", "a")
		go func() { // somebody comes, talks and goes all the time
			defer close(stopped)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				var frames []byte
				for _, text := range []string{
					`["1",null,"realtime:a","broadcast",{"event":"x"}]`,
					fmt.Sprintf(`["1",null,"realtime:a","presence",{"event":"track","payload":{"n":%d}}]`, n),
					`["1",null,"realtime:a","presence",{"event":"untrack"}]`,
					`["1",null,"realtime:a","phx_leave",{}]`,
					`["1",null,"realtime:a","phx_join",{"config":{}}]`,
				} {
					frames = append(frames, masked(0x81, text)...)
				}
				if _, err := ann.conn.Write(frames); err != nil {
					return
				}
				for f := range ann.frames {
					if strings.Contains(string(f.payload), "postgres_changes") {
						break
					}
				}
			}
		}()
		for i := range 200 {
			s.connect("bob", "")
			bob := s.client("bob")
			bob.send(join)
			if f := bob.next(); !strings.HasPrefix(string(f.payload), `["1","1","realtime:a","phx_reply",{"status":"ok"`) {
				s.fatalf("the first frame is %s", f.payload)
			}
			states := 0
			for j := range 5 {
				f := bob.next()
				if strings.Contains(string(f.payload), `"presence_state"`) {
					states++
				} else if states == 0 && strings.Contains(string(f.payload), `"presence_diff"`) {
					s.fatalf("a diff comes before the state, as frame %d of client %d", j, i)
				}
			}
			if states != 1 {
				s.fatalf("%d states, want 1", states)
			}
			_ = bob.conn.Close()
			for range bob.frames {
			}
		}
		close(stop)
		_ = ann.conn.Close()
		<-stopped
	})
}

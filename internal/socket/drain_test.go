package socket

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A crowd is a running server with clients that only wait for their end.
type crowd struct {
	server *Server
	stop   func() // and wait for the loops
	wg     sync.WaitGroup

	mu   sync.Mutex
	ends []end
}

// An end is what a client heard last.
type end struct {
	at   time.Time
	code int    // 1006 when nothing was heard
	rest string // what came before
}

// gather starts a server with so many loops and clients.
func gather(t *testing.T, loops, clients int) *crowd {
	s := &Server{Settings: ordinary(), Log: slog.New(slog.DiscardHandler), Meters: &limit.Meters{}}
	s.Settings.Portable, s.Settings.Loops = true, loops
	s.Settings.Idle, s.Settings.Abandoned = time.Hour, 0
	s.Metrics = NewMetrics(prometheus.NewRegistry(), s)
	if _, err := s.Loops(); err != nil {
		t.Fatal(err)
	}
	for i, l := range s.loops {
		l.desk = &channel.Desk{Service: &channel.Service{}, Index: i}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := &crowd{server: s}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c.stop = func() { cancel(); <-done; c.wg.Wait() }
	for i := range clients {
		c.enter(s.loops[i%loops], true)
	}
	synctest.Wait()
	if n := s.Open(); n != clients {
		t.Fatalf("%d clients are connected, want %d", n, clients)
	}
	return c
}

// enter adds a client to a loop, which answers a close or ignores it. The client
// leaves when it is told to or when leave is called.
func (c *crowd) enter(l *loop, polite bool) (leave func()) {
	here, there := net.Pipe()
	l.post(func() { l.accept(there, nil, &channel.Client{}) })
	c.wg.Go(func() {
		e := listen(here)
		c.mu.Lock()
		c.ends = append(c.ends, e)
		c.mu.Unlock()
		if !polite {
			_, _ = here.Read(make([]byte, 1)) // until the server has had enough
		}
		_ = here.Close()
	})
	return func() { _ = here.Close() }
}

// listen reads until the close frame. Frames here are shorter than 126 bytes.
func listen(from net.Conn) (e end) {
	var all []byte
	buf := make([]byte, 1024)
	for {
		n, err := from.Read(buf)
		all = append(all, buf[:n]...)
		for len(all) >= 2 && len(all) >= 2+int(all[1]) {
			payload := all[2 : 2+int(all[1])]
			if all[0]&0x0F == byte(websocket.Close) {
				e.at = time.Now()
				e.code, _, _ = websocket.ParseClose(payload)
				return e
			}
			e.rest += string(payload)
			all = all[2+int(all[1]):]
		}
		if err != nil {
			e.at, e.code = time.Now(), 1006
			return e
		}
	}
}

// heard returns after what times since began the clients heard 1012; others fail
// the test.
func (c *crowd) heard(t *testing.T, began time.Time) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []time.Duration
	for _, e := range c.ends {
		if e.code != websocket.CodeRestart {
			t.Errorf("a client is closed with %d, want 1012", e.code)
		}
		all = append(all, e.at.Sub(began))
	}
	slices.Sort(all)
	return all
}

// The closes of a thousand clients are spread: no tenth of a second has more
// than its share, and none has less, until all are told.
func TestADrainIsSpread(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 3} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const clients, spread, window = 1000, 2 * time.Second, 100 * time.Millisecond
				const share = int(clients * window / spread)
				c := gather(t, loops, clients)
				began := time.Now()
				if err := c.server.Drain(t.Context(), spread); err != nil {
					t.Error(err)
				}
				c.stop()
				times := c.heard(t, began)
				if len(times) != clients || times[clients-1] > spread || times[clients-1] < spread-window {
					t.Fatalf("%d clients are told, the last after %v; want %d within %v", len(times), times[len(times)-1], clients, spread)
				}
				// What is due within a beat goes together, on each loop.
				tolerance := int(clients*beat/spread) + loops
				for i, at := range times {
					late, _ := slices.BinarySearch(times, at+window)
					if n := late - i; n > share+tolerance || n < share-tolerance && at+window < spread {
						t.Fatalf("%d of %d clients are told between %v and %v", n, clients, at, at+window)
					}
				}
			})
		})
	}
}

// With nothing to spread over, all are told at once.
func TestADrainAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := gather(t, 2, 100)
		began := time.Now()
		if err := c.server.Drain(t.Context(), 0); err != nil {
			t.Error(err)
		}
		c.stop()
		if times := c.heard(t, began); len(times) != 100 || times[99] != 0 {
			t.Errorf("told at %v, want 100 times at once", times)
		}
	})
}

// Loops with a client each take turns, and those without one hold nothing up.
func TestLoopsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := gather(t, 4, 3)
		began := time.Now()
		if err := c.server.Drain(t.Context(), 4*time.Second); err != nil {
			t.Error(err)
		}
		c.stop()
		if times, want := c.heard(t, began), []time.Duration{0, time.Second, 2 * time.Second}; !slices.Equal(times, want) {
			t.Errorf("told at %v, want %v", times, want)
		}
	})
}

// A grace that is shorter than the spread shortens it, and leaves time for the
// last to close.
func TestAGraceShortensASpread(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ grace, latest time.Duration }{
		"the last has its whole time":         {12 * time.Second, 7 * time.Second},
		"or half of the grace, if that is it": {2 * time.Second, time.Second},
		"there is time for all":               {time.Minute, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := gather(t, 1, 100)
				ctx, cancel := context.WithTimeout(t.Context(), tt.grace)
				defer cancel()
				began := time.Now()
				if err := c.server.Drain(ctx, 20*time.Second); err != nil {
					t.Error(err)
				}
				c.stop()
				times := c.heard(t, began)
				if last := times[len(times)-1]; len(times) != 100 || last > tt.latest || last < tt.latest*9/10 {
					t.Errorf("%d are told, the last after %v, want shortly before %v", len(times), last, tt.latest)
				}
			})
		})
	}
}

// A stop that somebody loses patience with tells all who were not told yet.
func TestADrainThatIsCutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := gather(t, 2, 100)
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(time.Second, cancel)
		if err := c.server.Drain(ctx, 10*time.Second); err == nil {
			t.Error("it says that all have gone")
		}
		synctest.Wait() // a stream writes beside its loop
		c.stop()
		if times := c.heard(t, began); len(times) != 100 || times[99] != time.Second {
			t.Errorf("%d are told, the last after %v, want 100 within a second", len(times), times[len(times)-1])
		}
	})
}

// Clients that ignore the close are dropped, and those who leave by themselves
// or come late are no matter.
func TestWhoComesAndGoesDuringADrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := gather(t, 1, 50)
		l := c.server.loops[0]
		var leave []func()
		for range 25 {
			leave = append(leave, c.enter(l, true))
			c.enter(l, false)
		}
		synctest.Wait()
		began := time.Now()
		time.AfterFunc(time.Second, func() {
			for _, depart := range leave {
				depart()
			}
			c.enter(l, true)
		})
		if err := c.server.Drain(t.Context(), 4*time.Second); err != nil {
			t.Error(err)
		}
		took := time.Since(began)
		c.stop()
		told, left := 0, 0
		for _, e := range c.ends {
			if e.code == websocket.CodeRestart {
				told++
			} else {
				left++
			}
		}
		if told+left != 101 || left > 25 || took > 9*time.Second {
			t.Errorf("%d are told and %d have left of 101, in %v", told, left, took)
		}
	})
}

// What waits for a client goes before the close.
func TestADrainSendsWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := gather(t, 1, 1)
		l := c.server.loops[0]
		l.post(func() {
			for range 3 {
				l.slots[0].Send(websocket.AppendFrame(nil, websocket.Text, []byte("a word ")), false)
			}
		})
		if err := c.server.Drain(t.Context(), time.Second); err != nil {
			t.Error(err)
		}
		c.stop()
		if e := c.ends[0]; e.code != websocket.CodeRestart || e.rest != "a word a word a word " {
			t.Errorf("the client heard %q and %d", e.rest, e.code)
		}
	})
}

// However many there are and whatever the spread, each loop tells all of its
// clients, each once, none before its time and none much after it.
func TestEveryClientHasItsTurn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		clients := rapid.IntRange(0, 300).Draw(rt, "clients")
		spread := time.Duration(rapid.IntRange(0, 3000).Draw(rt, "spread")) * time.Millisecond
		phase := rapid.Float64Range(0, 0.99).Draw(rt, "phase")
		holes := rapid.SliceOfN(rapid.Bool(), clients, clients).Draw(rt, "holes")
		fault := ""
		synctest.Test(t, func(*testing.T) { fault = turns(clients, spread, phase, holes) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// turns drains a loop that some clients have left, and returns what is wrong.
func turns(clients int, spread time.Duration, phase float64, holes []bool) string {
	l := quiet(clients)
	for i, hole := range holes {
		if hole {
			l.slots[i].gone()
		}
	}
	began := time.Now()
	d := &drain{loop: l, began: began, spread: spread, phase: phase}
	d.start()
	for d.told < d.count {
		wait, some := l.timers.next(time.Now())
		if !some {
			return fmt.Sprintf("%d of %d are told, and nothing is to happen", d.told, d.count)
		}
		time.Sleep(wait) // virtual
		l.fireTimers()
		if due := d.turn(); d.told < d.count && due.Before(time.Now()) {
			return fmt.Sprintf("the turn of %d of %d was at %v, now it is %v", d.told, d.count, due.Sub(began), time.Since(began))
		}
	}
	if d.count > 0 && time.Since(began) > spread+beat {
		return fmt.Sprintf("it takes %v, not %v", time.Since(began), spread)
	}
	for _, c := range l.slots {
		if c != nil && c.state == stateOpen {
			return "a client is left"
		}
	}
	return ""
}

// A node that stops sends those away who come, before it looks who they are.
func TestAHandshakeWhileTheNodeStops(t *testing.T) {
	t.Parallel()
	s := &Server{Settings: ordinary(), Log: slog.New(slog.DiscardHandler)}
	s.Metrics = NewMetrics(prometheus.NewRegistry(), s)
	s.Refuse()
	w := httptest.NewRecorder()
	began := time.Now()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/socket/websocket?vsn=2.0.0", nil))
	if w.Code != http.StatusServiceUnavailable || strings.TrimSpace(w.Body.String()) != `{"error":"Realtime is restarting, please standby"}` ||
		w.Header().Get("Retry-After") != "1" || w.Header().Get("Connection") != "close" {
		t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
	}
	if took := time.Since(began); took > s.Settings.ConnectBackoff/2 {
		t.Errorf("the answer takes %v", took)
	}
}

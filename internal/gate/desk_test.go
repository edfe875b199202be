package gate

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// However many tokens come at once, only some are verified at a time, and who
// would wait behind too many is told to come again.
func TestVerifyingInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, _ := open(t, Settings{Verifications: 2, Waiting: 10})
		var at, most, served, refused atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				leave, err := g.Desk(t.Context())
				if err != nil {
					if !refusedWith(err, ServerOverloaded) {
						t.Error(err)
					}
					refused.Add(1)
					return
				}
				defer leave()
				most.Store(max(most.Load(), at.Add(1)))
				time.Sleep(time.Millisecond) // virtual: that is what it takes
				at.Add(-1)
				served.Add(1)
			})
		}
		wg.Wait()
		if most.Load() != 2 || served.Load() != 12 || refused.Load() != 38 {
			t.Errorf("%d at once, %d served, %d refused", most.Load(), served.Load(), refused.Load())
		}
		if g.waiting.Load() != 0 || len(g.desks) != 0 {
			t.Error("somebody is still counted")
		}
	})
}

func TestWhoLeavesWhileWaiting(t *testing.T) {
	t.Parallel()
	g, _ := open(t, Settings{Verifications: 1})
	leave, err := g.Desk(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Desk(ctx); !refusedWith(err, ServerOverloaded) {
		t.Errorf("got %v", err)
	}
	leave()
	if g.waiting.Load() != 0 {
		t.Error("who left is still counted")
	}
}

var errStranger = errors.New("who are you")

// Of a stranger's body no more is read than the first bytes, whatever it
// announces, and of one who is known all.
func TestBodiesOfStrangers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		size, read int
		err        error
	}{
		"small of a stranger":           {1000, 1000, nil},
		"large of a stranger":           {8_000_000, forAnybody, errStranger},
		"large of one who is known":     {8_000_000, 8_000_000, nil},
		"one byte more than is for all": {forAnybody + 1, forAnybody, errStranger},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _ := open(t, Settings{BodyBytes: 100 << 20})
			source := strings.NewReader(strings.Repeat("x", tt.size))
			asked := 0
			b := g.Body(io.NopCloser(source), func() error { asked++; return tt.err })
			all, err := io.ReadAll(b)
			if !errors.Is(err, tt.err) || len(all) != tt.read || tt.size-source.Len() != tt.read || asked > 1 {
				t.Errorf("read %d, took %d: %v; asked %d times", len(all), tt.size-source.Len(), err, asked)
			}
			if g.held.Load() != int64(tt.read) {
				t.Errorf("%d are held", g.held.Load())
			}
			b.Release()
			b.Release()
			if g.held.Load() != 0 {
				t.Errorf("%d are held for ever", g.held.Load())
			}
		})
	}
}

// Many who send a lot and never end cannot have more than the gate holds.
func TestBodiesTogether(t *testing.T) {
	t.Parallel()
	g, _ := open(t, Settings{BodyBytes: 10 << 20})
	var bodies []*Body
	refused := 0
	for range 40 {
		b := g.Body(io.NopCloser(strings.NewReader(strings.Repeat("x", 1<<20))), func() error { return nil })
		if _, err := io.ReadAll(b); err != nil {
			if !refusedWith(err, ServerOverloaded) {
				t.Fatal(err)
			}
			refused++
			b.Release() // its request has been answered
			continue
		}
		bodies = append(bodies, b)
	}
	if refused != 30 || g.held.Load() > 10<<20 {
		t.Errorf("%d refused, %d bytes held", refused, g.held.Load())
	}
	for _, b := range bodies {
		b.Release()
	}
	if g.held.Load() != 0 {
		t.Errorf("%d are held for ever", g.held.Load())
	}
}

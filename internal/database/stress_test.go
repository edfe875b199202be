package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// moody is a server on which everything happens now and then.
func moody() *server {
	pause := func(ctx context.Context) error {
		if rand.N(10) > 0 {
			select {
			case <-time.After(rand.N(4 * time.Second)):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		switch rand.N(20) {
		case 0:
			return unavailable(tutti.IncreaseConnectionPool, "own")
		case 1:
			return refuse(tutti.Unauthorized, "own", pgError("42P01"))
		case 2:
			return notOwned
		}
		return nil
	}
	return &server{
		prepare: func(ctx context.Context) (postgres.Report, error) { return postgres.Report{}, pause(ctx) },
		answer: func(ctx context.Context, _ kind, _ postgres.Asker, _ bool) (postgres.Permission, error) {
			return postgres.Permission{Broadcast: true}, pause(ctx)
		},
		replay: func(ctx context.Context, limit int) ([]postgres.Stored, error) {
			return make([]postgres.Stored, limit), pause(ctx)
		},
		tend: func(ctx context.Context, _ string) error { return pause(ctx) },
	}
}

// A crowd asks many questions, and counts the answers.
type crowd struct {
	*bench
	asked    atomic.Int64
	answered atomic.Int64
	twice    atomic.Int64
	odd      atomic.Value // an error that is not for clients
}

// expect returns what takes the answer to one question.
func (c *crowd) expect() func(error) {
	c.asked.Add(1)
	var times atomic.Int32
	return func(err error) {
		if times.Add(1) > 1 {
			c.twice.Add(1)
		}
		c.answered.Add(1)
		if _, ok := errors.AsType[*postgres.Refusal](err); err != nil && !ok {
			c.odd.Store(err)
		}
	}
}

// member asks and changes things until the time is over.
func (c *crowd) member(until time.Time) {
	for time.Now().Before(until) {
		id := fmt.Sprintf("t%d", rand.N(12))
		t := customer(id, "db_pool", float64(1+rand.N(3)))
		q := about(t, fmt.Sprint(rand.N(5)))
		take := c.expect()
		switch rand.N(20) {
		case 0:
			take(nil)
			c.TenantChanged(id, nil)
		case 1:
			take(nil)
			c.TenantChanged(id, t)
		case 2:
			ctx, cancel := context.WithTimeout(c.t.Context(), rand.N(time.Minute))
			_, err := c.CheckWrite(ctx, q)
			if ctx.Err() != nil {
				err = nil
			}
			cancel()
			take(err)
		case 3:
			q.Tenant = customer(id, "db_port", "many")
			c.MayRead(q, 0, func(_ postgres.Permission, err error) { take(err) })
		case 4, 5, 6:
			c.Replay(q, time.Unix(0, 0), rand.N(3), 0, func(_ []postgres.Stored, err error) { take(err) })
		case 7, 8, 9:
			c.MayWrite(q, 0, func(_ postgres.Permission, err error) { take(err) })
		default:
			c.MayRead(q, 0, func(_ postgres.Permission, err error) { take(err) })
		}
		if rand.N(3) == 0 {
			time.Sleep(rand.N(time.Second))
		}
		if rand.N(500) == 0 {
			time.Sleep(2 * maxIdle) // databases close
		}
		c.loop.turn()
	}
}

func TestEveryQuestionIsAnsweredOnce(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		synctest.Test(t, func(t *testing.T) {
			c := &crowd{bench: newBench(t, moody())}
			var tenants tenant.Fixed
			for i := range 12 {
				tenants = append(tenants, customer(fmt.Sprintf("t%d", i)))
			}
			c.Known = tenants.List
			c.run()
			until := time.Now().Add(5 * time.Minute)
			var members sync.WaitGroup
			for range 8 {
				members.Go(func() { c.member(until) })
			}
			stopsLoop := round%2 == 0
			time.Sleep(rand.N(5 * time.Minute))
			if stopsLoop {
				c.loop.mu.Lock()
				c.loop.stopped = true
				c.loop.mu.Unlock()
			}
			if round%3 == 0 {
				c.stop() // while they go on asking
			}
			members.Wait()
			time.Sleep(time.Minute)
			c.turn()
			c.stop()
			c.turn()
			asked, answered := c.asked.Load(), c.answered.Load()
			if c.twice.Load() != 0 || !stopsLoop && asked != answered {
				t.Errorf("%d questions, %d answers, %d of them again", asked, answered, c.twice.Load())
			}
			if err := c.odd.Load(); err != nil {
				t.Errorf("an error without a text for clients: %v", err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if len(c.lanes) != 0 || len(c.fresh) != 0 {
				t.Errorf("%d lanes are left", len(c.lanes))
			}
		})
	}
}

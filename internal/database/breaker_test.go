package database

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

func unavailable(code, reason string) *postgres.Refusal {
	err := fmt.Errorf("%w: no", tutti.ErrUnavailable)
	return refuse(code, reason, err)
}

func TestADatabaseWithoutConnectionsIsLeftInPeace(t *testing.T) {
	for name, tt := range map[string]struct {
		err  *postgres.Refusal
		want string
	}{
		"all are in use":     {unavailable(tutti.IncreaseConnectionPool, "x"), poolText},
		"it accepts no more": {unavailable(tutti.DatabaseLackOfConnections, "x"), poolText},
		"nobody answers":     {unavailable(tutti.UnableToConnectToProject, "x"), connectText},
	} {
		t.Run(name, func(t *testing.T) {
			var err error = tt.err
			s := &server{answer: func(context.Context, kind, postgres.Asker, bool) (postgres.Permission, error) {
				return postgres.Permission{Broadcast: true}, err
			}}
			try(t, s, func(b *bench) {
				one := customer("one", "db_pool", 3.0)
				ask := func(want string, asks int) {
					t.Helper()
					r := b.read(about(one, "a"))
					b.turn()
					r.is(t, want)
					if n := len(b.server.databases()[0].asks); n != asks {
						t.Errorf("the database was asked %d times, want %d", n, asks)
					}
				}
				own := tt.err.Client.Error()
				ask(own, 1)
				time.Sleep(15 * time.Second)
				ask(own, 2)
				time.Sleep(15 * time.Second) // the first is forgotten
				ask(own, 3)
				time.Sleep(time.Second)
				ask(own, 4) // three in 30 s: open
				ask(tt.want, 4)
				time.Sleep(breakerRest)
				ask(own, 5) // one was let through, in vain
				ask(tt.want, 5)
				err = nil
				ask(tt.want, 5)
				time.Sleep(breakerRest)
				ask("", 6)
				ask("", 7)
			})
		})
	}
}

func TestAnOpenBreakerLetsOneThrough(t *testing.T) {
	for pool := 1; pool <= 2; pool++ {
		t.Run(fmt.Sprint(pool), func(t *testing.T) { openBreaker(t, pool) })
	}
}

func openBreaker(t *testing.T, pool int) {
	var works atomic.Bool
	s := &server{answer: func(context.Context, kind, postgres.Asker, bool) (postgres.Permission, error) {
		time.Sleep(time.Second)
		if !works.Load() {
			return postgres.Permission{}, unavailable(tutti.IncreaseConnectionPool, "own")
		}
		return postgres.Permission{Broadcast: true}, nil
	}}
	try(t, s, func(b *bench) {
		one := customer("one", "db_pool", float64(pool))
		var all []*reply
		for i := range 6 {
			all = append(all, b.read(about(one, fmt.Sprint(i))))
		}
		time.Sleep(2 * time.Second)
		b.turn()
		for i, r := range all {
			switch {
			case i == pool && pool > 1: // it may have begun before the last of them failed
			case i < pool:
				r.is(t, "IncreaseConnectionPool: own")
			default:
				r.is(t, poolText)
			}
		}
		works.Store(true)
		time.Sleep(breakerRest)
		through, refused := b.read(about(one, "a")), b.read(about(one, "b"))
		b.turn()
		refused.is(t, poolText)
		refused = b.read(about(one, "c"))
		b.turn()
		refused.is(t, poolText)
		time.Sleep(time.Second)
		b.turn()
		through.is(t, "")
	})
}

func TestPoliciesThatFailAreNoOutage(t *testing.T) {
	s := &server{answer: func(context.Context, kind, postgres.Asker, bool) (postgres.Permission, error) {
		return postgres.Permission{}, refuse(tutti.Unauthorized, "own", pgError("22023"))
	}}
	try(t, s, func(b *bench) {
		for range 10 {
			r := b.read(about(customer("one"), "a"))
			b.turn()
			r.is(t, "Unauthorized: own")
		}
		if n := b.log.count("question to a database failed"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

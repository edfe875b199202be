package database

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// pgError is an error of PostgreSQL.
type pgError string

func (e pgError) Error() string    { return "ERROR (SQLSTATE " + string(e) + ")" }
func (e pgError) SQLState() string { return string(e) }

var notOwned = &postgres.Defect{Code: postgres.MessagesNotOwned, Cause: "it is theirs", Cure: "GRANT it"}

const notOwnedText = "DatabaseNotPrepared: The project database cannot be used for private channels (MessagesNotOwned); " +
	"the log of the server says what to do"

func TestAllWaitForOnePreparation(t *testing.T) {
	s := &server{prepare: func(context.Context) (postgres.Report, error) {
		time.Sleep(3 * time.Second)
		return postgres.Report{Made: []string{"table messages"}, Defects: []*postgres.Defect{notOwned}}, nil
	}}
	try(t, s, func(b *bench) {
		one := customer("one", "db_pool", 4.0)
		var all []*reply
		for i := range 8 {
			all = append(all, b.read(about(one, fmt.Sprint(i))))
		}
		time.Sleep(3*time.Second - time.Millisecond)
		synctest.Wait()
		if n := len(b.server.databases()[0].asks); n != 0 {
			t.Errorf("asked %d times before it was prepared", n)
		}
		time.Sleep(time.Millisecond)
		b.turn()
		for _, r := range all {
			r.is(t, "")
		}
		if n := b.server.databases()[0].prepared; n != 1 {
			t.Errorf("prepared %d times", n)
		}
		if b.log.count("table messages") != 1 || b.log.count("GRANT it") != 1 {
			t.Errorf("log: %s", b.log.text.String())
		}
	})
}

func TestAPreparationThatTakesTooLong(t *testing.T) {
	s := &server{prepare: func(context.Context) (postgres.Report, error) {
		time.Sleep(20 * time.Second)
		return postgres.Report{}, nil
	}}
	try(t, s, func(b *bench) {
		r := b.read(about(customer("one"), "a"))
		time.Sleep(maxWait)
		b.turn()
		r.is(t, beginningText)
		r = b.read(about(customer("one"), "a"))
		time.Sleep(10 * time.Second)
		b.turn()
		r.is(t, "")
	})
}

func TestAPreparationThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"for a defect":                {notOwned, notOwnedText},
		"as nobody is there":          {fmt.Errorf("prepare: %w", tutti.ErrUnavailable), connectText},
		"for want of connections":     {fmt.Errorf("%w: %w", tutti.ErrUnavailable, pgError("53300")), "DatabaseLackOfConnections: Database can't accept more connections, Realtime won't connect"},
		"for a reason of its own":     {pgError("55P03"), "DatabaseNotPrepared: The project database could not be prepared for private channels; the log of the server says why"},
		"for a defect that is within": {fmt.Errorf("prepare: %w", notOwned), notOwnedText},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.err
			s := &server{prepare: func(context.Context) (postgres.Report, error) { return postgres.Report{}, err }}
			try(t, s, func(b *bench) {
				one := customer("one", "db_pool", 3.0)
				for range 10 {
					x, y := b.read(about(one, "x")), b.read(about(one, "y"))
					b.turn()
					x.is(t, tt.want)
					y.is(t, tt.want)
				}
				if n := b.server.databases()[0].prepared; n != 1 {
					t.Errorf("tried %d times at once", n)
				}
				if n := b.log.count("level=WARN"); n != 1 {
					t.Errorf("logged %d times: %s", n, b.log.text.String())
				}
				err = nil
				time.Sleep(prepareAgain)
				x, y := b.read(about(one, "x")), b.read(about(one, "y"))
				b.turn()
				x.is(t, "")
				y.is(t, "")
			})
		})
	}
}

func TestADefectIsLookedForLessAndLess(t *testing.T) {
	s := &server{prepare: func(context.Context) (postgres.Report, error) { return postgres.Report{}, notOwned }}
	try(t, s, func(b *bench) {
		for range 3600 {
			b.read(about(customer("one"), "a"))
			b.turn()
			time.Sleep(time.Second)
		}
		if n := b.server.databases()[0].prepared; n < 60 || n > 66 {
			t.Errorf("tried %d times in an hour", n)
		}
		if n := b.log.count("GRANT it"); n != 6 {
			t.Errorf("logged %d times in an hour, every ten minutes is enough", n)
		}
	})
}

func TestWhatWasPreparedIsGone(t *testing.T) {
	for name, tt := range map[string]struct {
		gone     bool // until it is prepared anew; else the error is a policy's own
		prepares int
		want     string
	}{
		"somebody dropped the table":         {gone: true, prepares: 2},
		"a policy reads a table that is not": {prepares: 2, want: "Unauthorized: no"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{}
			refusal := &postgres.Refusal{Client: &tutti.Error{Code: tutti.Unauthorized, Reason: "no"}, Code: tutti.RlsPolicyError, Err: pgError("42P01")}
			s.answer = func(_ context.Context, _ kind, a postgres.Asker, _ bool) (postgres.Permission, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				if a.Topic != "first" && (!tt.gone || s.opened[0].prepared == 1) {
					return postgres.Permission{}, refusal
				}
				return postgres.Permission{Broadcast: true}, nil
			}
			try(t, s, func(b *bench) {
				one := customer("one", "db_pool", 2.0)
				b.read(about(one, "first"))
				b.turn()
				for range 3 {
					x, y, z := b.read(about(one, "x")), b.read(about(one, "y")), b.read(about(one, "x"))
					b.turn()
					for _, r := range []*reply{x, y, z} {
						r.is(t, tt.want)
					}
				}
				if n := b.server.databases()[0].prepared; n != tt.prepares {
					t.Errorf("prepared %d times", n)
				}
			})
		})
	}
}

func TestTheTenantGoesWhileItIsPrepared(t *testing.T) {
	s := &server{prepare: func(ctx context.Context) (postgres.Report, error) {
		<-ctx.Done()
		return postgres.Report{}, context.Cause(ctx)
	}}
	try(t, s, func(b *bench) {
		r := b.read(about(customer("one"), "a"))
		synctest.Wait()
		b.TenantChanged("one", nil)
		b.turn()
		r.is(t, goneText)
	})
}

func TestReplay(t *testing.T) {
	for name, tt := range map[string]struct {
		limit, want int
		err         error
		told        string
	}{
		"as many as asked for":     {limit: 10, want: 10},
		"one at least":             {limit: -3, want: 1},
		"no more than the setting": {limit: 1 << 30, want: 40},
		"an error is one text":     {limit: 1, err: errors.New("no such column"), told: replayText},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{}
			if tt.err != nil {
				s.replay = func(context.Context, int) ([]postgres.Stored, error) { return nil, tt.err }
			}
			try(t, s, func(b *bench) {
				r := &reply{}
				one := customer("one", "replay_limit", 40.0)
				b.Replay(about(one, "a"), time.Now(), tt.limit, 0, func(stored []postgres.Stored, err error) {
					r.stored, r.err = stored, err
					r.times++
				})
				b.turn()
				r.is(t, tt.told)
				if len(r.stored) != tt.want {
					t.Errorf("%d messages", len(r.stored))
				}
			})
		})
	}
}

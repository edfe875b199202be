package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/load"
)

// The statements with which the reference finds out what a user may do in
// a private channel, each a round trip of its own. Database, section 4.2.
const (
	probeRow = `INSERT INTO realtime.messages (id, topic, extension, inserted_at, updated_at) VALUES ($1, $2, 'broadcast', now(), now())`
	become   = `SELECT set_config('role', $1, true), set_config('realtime.topic', $2, true), set_config('request.jwt.claims', $3, true),
  set_config('request.jwt.claim.sub', $4, true), set_config('request.jwt.claim.role', $1, true), set_config('request.headers', '{}', true)`
	visible = `SELECT id FROM realtime.messages WHERE id = ANY($1::uuid[])`
)

// A person is who wants to join a channel.
type person struct{ sub, claims, topic string }

// techniques measures the reference's technique, as fast as it goes: what each
// join costs, and what one costs whose user sends something.
func (r *rush) techniques(ctx context.Context, st *stage) (all []*result, err error) {
	for _, t := range []struct {
		what string
		do   func(context.Context, *pgx.Conn, person) error
	}{
		{"one transaction (may the user read)", mayRead},
		{"two transactions (and may they write)", func(ctx context.Context, conn *pgx.Conn, p person) error {
			if err := mayRead(ctx, conn, p); err != nil {
				return err
			}
			return mayWrite(ctx, conn, p)
		}},
	} {
		one, err := r.technique(ctx, st, t.do)
		if err != nil {
			return all, fmt.Errorf("the reference's technique: %w", err)
		}
		one.Load, one.What = "joins, the reference's technique", t.what
		logf("%s: %v", one.Load, one)
		all = append(all, one)
	}
	return all, nil
}

// technique lets as many connections as the server has do a thing for half of
// the time.
func (r *rush) technique(ctx context.Context, st *stage, do func(context.Context, *pgx.Conn, person) error) (*result, error) {
	conns := make([]*pgx.Conn, r.pool)
	for i := range conns {
		conn, err := pgx.Connect(ctx, st.dsn)
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		conns[i] = conn
		if err := do(ctx, conn, r.person(i)); err != nil { // prepares its statements
			return nil, err
		}
	}
	before, err := st.load.sample()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	took, err := r.race(ctx, conns, start.Add(r.length/2), do)
	if err != nil {
		return nil, err
	}
	wall := time.Since(start)
	after, err := st.load.sample()
	if err != nil {
		return nil, err
	}
	return summary(took, r.users, after.minus(before), wall), nil
}

// race lets each connection do a thing for one user after the other until
// a time, and returns how long each took.
func (r *rush) race(ctx context.Context, conns []*pgx.Conn, end time.Time, do func(context.Context, *pgx.Conn, person) error) ([][]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([][]time.Duration, len(conns))
	var next atomic.Int64
	var wg sync.WaitGroup
	for i, conn := range conns {
		wg.Go(func() {
			for ctx.Err() == nil && time.Now().Before(end) {
				began := time.Now()
				if err := do(ctx, conn, r.person(int(next.Add(1)))); err != nil {
					cancel(err)
					return
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	wg.Wait()
	return took, context.Cause(ctx)
}

func summary(took [][]time.Duration, users int, u usage, wall time.Duration) *result {
	var latency load.Histogram
	joins := 0
	for _, each := range took {
		for _, d := range each {
			latency.Add(d)
			joins++
		}
	}
	rate := float64(joins) / wall.Seconds()
	out := &result{
		Subscribers: users, Identities: users, Asked: rate, PerSecond: rate, Written: joins, Seconds: wall.Seconds(),
		Expected: joins, Deliveries: joins, DeliveriesPerSecond: rate, Latency: latency.Spread(), Budgets: []budget{},
		Sustained: true, // it goes as fast as it can
	}
	out.spend(u, wall)
	out.share()
	out.PerChangeIdentity = parties{}
	return out
}

func (r *rush) person(n int) person {
	sub := user(n % r.users)
	return person{sub, `{"role":"authenticated","sub":"` + sub + `"}`, fmt.Sprintf("class-%d", n%50)}
}

// signIn makes the rest of a transaction that of a user.
func signIn(ctx context.Context, conn *pgx.Conn, p person) error {
	_, err := conn.Exec(ctx, become, "authenticated", p.topic, p.claims, p.sub)
	return err
}

// mayRead is the first transaction.
func mayRead(ctx context.Context, conn *pgx.Conn, p person) error {
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	id := uuid()
	if _, err := conn.Exec(ctx, probeRow, id, p.topic); err != nil {
		return err
	}
	if err := signIn(ctx, conn, p); err != nil {
		return err
	}
	found, err := conn.Exec(ctx, visible, []string{id})
	if err != nil {
		return err
	}
	if found.RowsAffected() != 1 {
		return fmt.Errorf("user %s must not read %s", p.sub, p.topic)
	}
	return rollBack(ctx, conn)
}

// mayWrite is the second transaction.
func mayWrite(ctx context.Context, conn *pgx.Conn, p person) error {
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := signIn(ctx, conn, p); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SAVEPOINT attempt"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, probeRow, uuid(), p.topic); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "RELEASE SAVEPOINT attempt"); err != nil {
		return err
	}
	return rollBack(ctx, conn)
}

// rollBack ends a transaction as the reference does, which leaves an empty one
// to be ended.
func rollBack(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "ROLLBACK AND CHAIN"); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "COMMIT")
	return err
}

// uuid returns a random one, version 4.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// guarded lets members read and write messages.
const guarded = `
CREATE POLICY reading ON realtime.messages FOR SELECT TO authenticated
  USING (realtime.topic() LIKE 'class-%' AND EXISTS (SELECT FROM public.members m WHERE m.user_id = auth.uid()));
CREATE POLICY writing ON realtime.messages FOR INSERT TO authenticated
  WITH CHECK (realtime.topic() LIKE 'class-%' AND EXISTS (SELECT FROM public.members m WHERE m.user_id = auth.uid()));`

// A rush is many users who join private channels, each on a connection that is
// there already.
type rush struct {
	users  int
	rate   float64 // joins a second, of all
	length time.Duration
	pool   int // connections of the server, and of the reference's technique

	audience *load.Audience
	tokens   []string
	pushed   []time.Time // by number of the join
	answered int
	accepted int
	latency  load.Histogram
	late     load.Histogram
}

// rushWarm is how many joins do not count.
const rushWarm = 50

// joins measures joins of private channels, and then what the reference's
// technique costs on the same database. What the reference itself adds to that
// is not measured.
func (b *bench) joins(ctx context.Context) ([]*result, error) {
	r := &rush{users: 1000, rate: 1000, length: 10 * time.Second, pool: b.pool}
	if b.length > 0 {
		r.length = b.length
	}
	if b.short {
		r.users, r.rate, r.length = 20, 100, 300*time.Millisecond
	}
	logf("joins: %d users join private channels", r.users)
	st, err := b.place.open(ctx, enrol(r.users, 50)+guarded)
	if err != nil {
		return nil, err
	}
	var all []*result
	ours, err := r.play(ctx, st)
	if err == nil {
		ours.judge(&script{}, b.short)
		all = append(all, ours)
		logf("joins: %v", ours)
	}
	// Also where ours fail, so that one half can be worked on without the other.
	theirs, failed := r.techniques(ctx, st)
	if err == nil && failed == nil {
		ours.compare(theirs)
	}
	return append(all, theirs...), errors.Join(err, failed, st.close())
}

// play lets the users come, and then join.
func (r *rush) play(ctx context.Context, st *stage) (*result, error) {
	seats := make([]load.Seat, r.users)
	r.tokens = make([]string, r.users)
	for i := range seats {
		var err error
		if r.tokens[i], err = token("authenticated", user(i)); err != nil {
			return nil, err
		}
		seats[i] = load.Seat{Topic: fmt.Sprintf("realtime:lobby-%d", i), Payload: r.payload(i, false)}
	}
	r.audience = &load.Audience{URL: st.url, Key: st.key, ConnectRate: connectRate, Seats: seats, Hear: r.hear}
	defer r.audience.Close()
	if err := r.audience.Open(ctx); err != nil {
		return nil, err
	}
	r.push(ctx, min(rushWarm, r.users))
	warmed := len(r.pushed)
	if r.accepted < warmed {
		return nil, fmt.Errorf("%d of the first %d joins are accepted; failures: %v", r.accepted, warmed, some(r.audience.Failures()))
	}
	r.latency, r.late = load.Histogram{}, load.Histogram{}
	before, err := st.load.sample()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	r.push(ctx, warmed+int(r.rate*r.length.Seconds()))
	wall := time.Since(start)
	after, err := st.load.sample()
	if err != nil {
		return nil, err
	}
	return r.result(st, after.minus(before), wall, warmed)
}

// push joins channels until there were a number of joins in all, and waits for
// the replies.
func (r *rush) push(ctx context.Context, until int) {
	start, first := time.Now(), len(r.pushed)
	due := func(n int) time.Time {
		return start.Add(time.Duration(float64(n-first) / r.rate * float64(time.Second)))
	}
	r.audience.Pump(ctx, func(now time.Time) (time.Time, bool) {
		for n := len(r.pushed); n < until && !due(n).After(now); n++ {
			r.late.Add(now.Sub(due(n)))
			r.join(n, now)
		}
		if len(r.pushed) < until {
			return due(len(r.pushed)), false
		}
		last := due(until)
		return now.Add(glance), r.answered == until || now.Sub(last) > 15*time.Second
	})
}

// join sends a join. A user's joins go to different channels.
func (r *rush) join(n int, now time.Time) {
	seat := n % r.users
	r.pushed = append(r.pushed, now)
	ref := phoenix.Ref(fmt.Sprintf(`"j%d"`, n))
	topic := fmt.Appendf(nil, "realtime:class-%d-%d", n/r.users, seat%50)
	there := r.audience.Push(seat, &phoenix.Frame{
		JoinRef: ref, Ref: ref, Topic: topic, Event: phoenix.EventJoin, Payload: r.payload(seat, true),
	})
	if !there {
		r.answered++
	}
}

func (r *rush) payload(seat int, private bool) []byte {
	return fmt.Appendf(nil, `{"config":{"broadcast":{"ack":false,"self":false},"presence":{"key":"","enabled":false},"postgres_changes":[],"private":%t},"access_token":"%s"}`,
		private, r.tokens[seat])
}

var replyMark = []byte(`"` + phoenix.EventReply + `"`)

// hear notes a reply. One that refuses is left to be counted as a failure.
func (r *rush) hear(_ int, frame []byte, at time.Time) bool {
	if !bytes.Contains(frame, replyMark) {
		return false
	}
	f, err := phoenix.DecodeServer(phoenix.V2, true, frame)
	if err != nil {
		return false
	}
	number, ours := strings.CutPrefix(strings.Trim(string(f.Ref), `"`), "j")
	n, err := strconv.Atoi(number)
	if !ours || err != nil || n >= len(r.pushed) {
		return false
	}
	r.answered++
	if status, _ := phoenix.Lookup(f.Payload, "status"); string(status) != `"ok"` {
		return false
	}
	r.accepted++
	r.latency.Add(at.Sub(r.pushed[n]))
	return true
}

func (r *rush) result(st *stage, u usage, wall time.Duration, warmed int) (*result, error) {
	joins := len(r.pushed) - warmed
	out := &result{
		Load: "joins", What: "private channels, replies to joins", Subscribers: r.users, Identities: r.users,
		Asked: r.rate, Written: joins, PerSecond: float64(joins) / wall.Seconds(), Seconds: wall.Seconds(),
		Expected: joins, Deliveries: r.accepted - warmed, Lost: len(r.pushed) - r.accepted,
		DeliveriesPerSecond: float64(r.accepted-warmed) / wall.Seconds(),
		Latency:             r.latency.Spread(), LateBy: r.late.Spread(), Failures: r.audience.Failures(),
	}
	out.spend(u, wall)
	out.share()
	out.PerChangeIdentity = parties{} // each join is of one
	var err error
	out.Memory, err = peak(st.load.server)
	return out, err
}

// compare says what a join costs PostgreSQL, as a share of the reference's.
func (r *result) compare(theirs []*result) {
	var shares []string
	for _, t := range theirs {
		shares = append(shares, fmt.Sprintf("%.2f of the reference's technique with %s", r.PerChange.Postgres/t.PerChange.Postgres, t.What))
	}
	r.Note = "a join costs PostgreSQL, in processor time, " + strings.Join(shares, ", ") + "."
}

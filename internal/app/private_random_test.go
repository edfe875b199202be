package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

const (
	crowdClients = 24
	crowdUsers   = 8
	crowdTopics  = 3
	crowdTime    = 5 * time.Second
)

// Who may do what is in a table, and a policy may open a topic to all readers.
// What the answer will be is decided a while before it is given, so that much
// happens in between.
const crowdObjects = `
CREATE TABLE public.rights (who uuid, topic text, extension text, writes boolean);
GRANT SELECT ON public.rights TO authenticated;
CREATE POLICY "r" ON realtime.messages FOR SELECT TO authenticated USING (EXISTS (
  SELECT FROM public.rights m WHERE m.who = auth.uid() AND m.topic = realtime.topic() AND m.extension = messages.extension AND NOT m.writes)
  AND pg_sleep(0.01) IS NOT NULL);
CREATE POLICY "w" ON realtime.messages FOR INSERT TO authenticated WITH CHECK (EXISTS (
  SELECT FROM public.rights m WHERE m.who = auth.uid() AND m.topic = realtime.topic() AND m.extension = messages.extension AND m.writes));`

// A right is what somebody may do; nobody's is what a policy allows all.
type right struct {
	user, topic int // user -1: everybody
	presence    bool
	writes      bool
}

func (r right) extension() string {
	if r.presence {
		return "presence"
	}
	return "broadcast"
}

// A span is a time in which something may have been so.
type span struct{ from, to time.Time }

func (s span) meets(from, to time.Time) bool { return !s.from.After(to) && !from.After(s.to) }

var endOfTime = time.Now().Add(24 * time.Hour)

// A history says when rights may have been there, and when they may have been
// missing: while a change is being made, both.
type history struct {
	mu             sync.Mutex // guards all below
	there, missing map[right][]span
}

// change notes that a right comes or goes while f is running.
func (h *history) change(r right, comes bool, f func()) {
	before := time.Now()
	h.mu.Lock()
	now, then := h.there, h.missing
	if !comes {
		now, then = then, now
	}
	now[r] = append(now[r], span{before, endOfTime})
	h.mu.Unlock()
	f()
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := then[r]; len(old) > 0 {
		old[len(old)-1].to = time.Now()
	}
}

// never reports whether a right was certainly missing all the time.
func (h *history) never(r right, from, to time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !slices.ContainsFunc(h.there[r], func(s span) bool { return s.meets(from, to) })
}

// always reports whether a right was certainly there all the time.
func (h *history) always(r right, from, to time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.there[r]) > 0 && !slices.ContainsFunc(h.missing[r], func(s span) bool { return s.meets(from, to) })
}

// may is never or always for a member, or by the policy that is for all.
func (h *history) mayNever(r right, from, to time.Time) bool {
	all := r
	all.user = -1
	return h.never(r, from, to) && h.never(all, from, to)
}

func (h *history) mayAlways(r right, from, to time.Time) bool {
	all := r
	all.user = -1
	return h.always(r, from, to) || h.always(all, from, to)
}

// A crowd is everything that happens in the random test.
type crowd struct {
	s       *script
	db      *console
	random  *rand.Rand
	have    map[right]bool
	history history
	people  []*person
	until   time.Time

	mu        sync.Mutex // guards all below
	said      []*saying
	evaluated [crowdTopics][]span // by operators; from before the call until it returned
}

// A saying is a broadcast, or a track. Its id is its place among all.
type saying struct {
	by       *person // nil: the database
	topic    int
	presence bool
	at       time.Time // before it was written
}

// TestNobodyHearsWhatHeMayNotRead lets a crowd join, leave, change users, send
// and track while rights come and go, and then looks at who heard what. What is
// certain is this. A permission is evaluated at a join, at a new token and when
// an operator has it evaluated. Take the last evaluation that had begun before
// something was said. Who had no right to read it, from the beginning of that
// evaluation until he heard it, must not have heard it; and nobody must have
// heard what somebody said who had no right to write in the same sense. Whoever
// sat there to the end and could always read has heard it once.
func TestNobodyHearsWhatHeMayNotRead(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, map[string]any{"db_pool": 4}, func(s *script) {
		s.flags = append(s.flags, "--queue-bytes=100000000")
		first := s.enter("first", service, "2.0.0")
		first.mustJoin("t0", `{"private":true,"broadcast":{"replication_ready":true}}`)
		_ = first.conn.Close()
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		db := consoleOf(t, dsn)
		db.do(crowdObjects)
		c := &crowd{db: db, random: rand.New(rand.NewPCG(seed, crowdClients)), s: s, until: time.Now().Add(crowdTime), history: history{there: map[right][]span{}, missing: map[right][]span{}}}
		c.have = map[right]bool{}
		for range crowdUsers * crowdTopics * 2 {
			c.turn(c.anyRight())
		}
		for i := range crowdClients {
			c.people = append(c.people, c.newPerson(fmt.Sprint("p", i), rand.New(rand.NewPCG(seed, uint64(i)))))
		}
		var wg sync.WaitGroup
		for _, p := range c.people {
			wg.Go(p.act)
		}
		c.govern()
		wg.Wait()
		last := s.enter("last", service, "2.0.0")
		last.mustJoin("t0", `{"private":true,"broadcast":{"replication_ready":true}}`)
		db.do(`SELECT realtime.send('{}', 'end', 't0')`)
		last.hearUntil("cast end") // so all that the database has sent is on its way
		for end := time.Now().Add(30 * time.Second); c.missing(false) > 0 && time.Now().Before(end); {
			last.hear()
		}
		for _, p := range c.people {
			_ = p.speak.conn.Close()
			<-p.ended
		}
		c.missing(true)
		c.judge()
	})
}

func asUser(n int) identity {
	return identity{role: "authenticated", sub: fmt.Sprintf("cccccccc-0000-4000-8000-%012d", n)}
}

// govern changes rights, and has them evaluated sometimes. It leaves them alone
// in the end.
func (c *crowd) govern() {
	for time.Now().Before(c.until.Add(-crowdTime / 4)) {
		r := c.anyRight()
		if c.random.IntN(12) == 0 {
			r.user, r.writes = -1, false
		}
		topic := fmt.Sprint("t", r.topic)
		switch c.random.IntN(4) {
		case 0: // an answer that is under way is too old for the second
			c.evaluate(r.topic)
			c.turn(r)
			c.evaluate(r.topic)
		case 1:
			id := c.say(nil, r.topic, false)
			c.db.do(`SELECT realtime.send(jsonb_build_object('said', $1::int), 'e', $2)`, id, topic)
		default:
			c.turn(r)
		}
	}
}

// evaluate does what an operator can do who has taken rights away.
func (c *crowd) evaluate(topic int) {
	begun := time.Now()
	if _, err := c.s.app.sockets.Reauthorize(context.Background(), "acme", channel.Who{Topic: fmt.Sprint("t", topic)}); err != nil {
		c.s.t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evaluated[topic] = append(c.evaluated[topic], span{begun, time.Now()})
}

func (c *crowd) anyRight() right {
	return right{c.random.IntN(crowdUsers), c.random.IntN(crowdTopics), c.random.IntN(2) == 0, c.random.IntN(2) == 0}
}

// turn gives a right, or takes it. More have it than not.
func (c *crowd) turn(r right) {
	if c.have[r] && c.random.IntN(2) == 0 {
		return
	}
	c.have[r] = !c.have[r]
	who, topic := asUser(r.user).sub, fmt.Sprint("t", r.topic)
	c.history.change(r, c.have[r], func() {
		open := fmt.Sprintf(`"open %s %s" ON realtime.messages`, topic, r.extension())
		switch {
		case r.user >= 0 && c.have[r]:
			c.db.do(`INSERT INTO public.rights VALUES ($1, $2, $3, $4)`, who, topic, r.extension(), r.writes)
		case r.user >= 0:
			c.db.do(`DELETE FROM public.rights WHERE (who, topic, extension, writes) = ($1::uuid, $2, $3, $4)`, who, topic, r.extension(), r.writes)
		case c.have[r]:
			c.db.do(fmt.Sprintf(`CREATE POLICY %s FOR SELECT TO authenticated USING (realtime.topic() = '%s' AND extension = '%s')`, open, topic, r.extension()))
		default:
			c.db.do(`DROP POLICY ` + open)
		}
	})
}

// say notes that something is about to be said, and returns its number.
func (c *crowd) say(p *person, topic int, presence bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, &saying{by: p, topic: topic, presence: presence, at: time.Now()})
	return len(c.said) - 1
}

// since returns the last evaluation of a person's rights that had certainly begun
// at a time.
func (c *crowd) since(p *person, topic int, at time.Time) (last span) {
	for _, all := range [][]span{p.rooms[topic].asked, c.evaluated[topic]} {
		for _, e := range all {
			if e.to.Before(at) && e.from.After(last.from) {
				last = e
			}
		}
	}
	return last
}

// all reports whether something is so for all users that a person was in a topic
// from a time on, and until another.
func (p *person) all(topic int, from, to time.Time, is func(user int) bool) bool {
	for _, h := range p.rooms[topic].users {
		if h.meets(from, to) && !is(h.user) {
			return false
		}
	}
	return true
}

// barred reports whether a person certainly had no right to read what was said
// at a time, or to say it.
func (c *crowd) barred(p *person, m *saying, until time.Time, writes bool) bool {
	e := c.since(p, m.topic, m.at)
	return p.all(m.topic, e.to, until, func(user int) bool {
		return c.history.mayNever(right{user, m.topic, m.presence, writes}, e.from, until)
	})
}

// missing returns how many broadcasts were not heard that certainly should have
// been: the server has acknowledged them, or the database has sent them. Only who
// has joined before, and is there still, is looked at.
func (c *crowd) missing(complain bool) (n int) {
	due := 0
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := map[int]bool{}
	for _, p := range c.people {
		p.mu.Lock()
		for _, id := range p.acked {
			sent[id] = true
		}
		p.mu.Unlock()
	}
	for _, p := range c.people {
		p.mu.Lock()
		heard := map[int]bool{}
		for _, h := range p.heard {
			heard[h.said] = true
		}
		for id, m := range c.said {
			if (m.by != nil && !sent[id]) || m.presence || !c.sits(p, m) {
				continue
			}
			due++
			if !heard[id] {
				n++
				if complain {
					c.s.t.Errorf("%s does not hear number %d (%+v; stored: %v): %+v", p.name, id, m, c.stored(id), p.rooms[m.topic])
				}
			}
		}
		p.mu.Unlock()
	}
	if complain {
		c.s.t.Logf("%d broadcasts were certainly due", due)
		if due < 100 {
			c.s.t.Errorf("only %d", due)
		}
	}
	return n
}

// stored reports whether the database has something that it was told to send.
func (c *crowd) stored(id int) (found bool) {
	row := c.db.conn.QueryRow(context.Background(), `SELECT EXISTS (SELECT FROM realtime.messages WHERE payload->>'said' = $1::text)`, fmt.Sprint(id))
	if err := row.Scan(&found); err != nil {
		c.s.t.Error(err)
	}
	return found
}

// sits reports whether a person has been in a topic since before something was
// said, and could certainly read it.
func (c *crowd) sits(p *person, m *saying) bool {
	room, end := &p.rooms[m.topic], time.Now()
	if room.joined == "" || room.leaving || room.tried != room.joined || !m.at.After(room.since) {
		return false
	}
	e := c.since(p, m.topic, m.at)
	return !e.from.IsZero() && p.all(m.topic, e.from, end, func(user int) bool {
		return c.history.mayAlways(right{user, m.topic, m.presence, false}, e.from, end)
	})
}

// judge looks at what was heard. Nothing happens any more.
func (c *crowd) judge() {
	total, seen := map[string]int{}, 0
	for _, p := range c.people {
		for what, n := range p.count {
			total[what] += n
		}
		once := map[int]bool{}
		for _, h := range p.heard {
			m := c.said[h.said]
			seen++
			if c.barred(p, m, h.at, false) {
				c.s.t.Errorf("%s hears number %d (%+v), %v after it was said, and may not", p.name, h.said, m, h.at.Sub(m.at))
			}
			if m.by != nil && c.barred(m.by, m, h.at, true) {
				c.s.t.Errorf("%s hears number %d, which %s may not say", p.name, h.said, m.by.name)
			}
			if once[h.said] && !m.presence {
				c.s.t.Errorf("%s hears number %d twice", p.name, h.said)
			}
			once[h.said] = true
		}
	}
	c.s.t.Logf("%d things were said, and heard %d times: %v", len(c.said), seen, total)
	if seen < 1000 {
		c.s.t.Errorf("too little was heard")
	}
}

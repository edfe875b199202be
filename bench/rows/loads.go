package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A workload is one or more results under a name.
type workload struct {
	name    string
	measure func(context.Context) ([]*result, error)
}

// loads returns all that there are.
func (b *bench) loads() []workload {
	return []workload{
		{"idle", b.scripts(idle)},
		{"fanout", b.scripts(fanout)},
		{"owner", b.scripts(owner("auth.uid() = owner"), owner("(select auth.uid()) = owner"))},
		{"everyone", b.scripts(everyone("exists (select 1 from public.members where user_id = auth.uid())"), everyone("true"))},
		{"filters", b.scripts(filters(100), filters(1000), filters(10_000))},
		{"rooms", b.scripts(rooms)},
		{"messages", b.scripts(message, messages)},
		{"joins", b.joins},
		{"large", b.scripts(large)},
	}
}

func names() (all []string) {
	for _, l := range new(bench).loads() {
		all = append(all, l.name)
	}
	return all
}

// scripts returns what plays some scripts, the others too when one fails.
func (b *bench) scripts(makers ...func(short bool) *script) func(context.Context) ([]*result, error) {
	return func(ctx context.Context) (results []*result, err error) {
		for _, make_ := range makers {
			if ctx.Err() != nil {
				return results, context.Cause(ctx)
			}
			s := make_(b.short)
			if b.length > 0 && s.batch < s.total()-s.warm {
				s.length = b.length
			}
			r, failed := b.play(ctx, s)
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", s.what, failed))
				continue
			}
			results = append(results, r)
		}
		return results, err
	}
}

// usual is how long changes are written, unless a load says otherwise.
const usual = 20 * time.Second

// notes is the table whose changes are listened to. Security is added to it.
const notes = `
CREATE TABLE public.notes (n bigint PRIMARY KEY, owner uuid, room_id int, body text);
ALTER PUBLICATION supabase_realtime ADD TABLE public.notes;`

// insertNote writes one change.
const insertNote = `INSERT INTO public.notes (n, owner, room_id, body) VALUES ($1, $2, $3, $4)`

// text is the rest of a note.
var text = strings.Repeat("tutti ", 20)

// user returns the id of a user.
func user(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// protected is notes with a policy for reading.
func protected(policy string) string {
	return notes + `
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON public.notes FOR SELECT TO authenticated USING (` + policy + `);`
}

// members is the table of who is in which room.
const members = `
CREATE TABLE public.members (user_id uuid, room_id int, PRIMARY KEY (user_id, room_id));`

// enrol puts users into rooms, one each.
func enrol(users, rooms int) string {
	return members + fmt.Sprintf(`
INSERT INTO public.members SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, i %% %d FROM generate_series(0, %d - 1) i;`,
		rooms, users)
}

// listening returns the config of a join that wants notes, those that a filter
// selects if it is not "".
func listening(filter string) string {
	entry := `{"event":"INSERT","schema":"public","table":"notes"`
	if filter != "" {
		entry += `,"filter":"` + filter + `"`
	}
	return `{"broadcast":{"ack":false,"self":false},"presence":{"key":"","enabled":false},"postgres_changes":[` + entry + `}],"private":false}`
}

// table is the script that others change: everybody listens to all notes.
func table(name, what string) *script {
	return &script{
		name: name, what: what, statements: notes, told: true,
		topic:  func(int) string { return "realtime:notes" },
		config: func(int) string { return listening("") },
		insert: insertNote,
		arguments: func(n, _ int) []any {
			return []any{n, user(0), 0, text}
		},
		wants: func(int, int) bool { return true },
		rate:  20, length: usual, batch: 1, writers: 1, warm: 20, budgets: complete,
	}
}

// brief makes a script last a moment.
func (s *script) brief(rate float64, users int) {
	s.rate, s.length, s.warm = rate, 300*time.Millisecond, s.writers
	if s.users > 0 {
		s.users = users
	} else {
		s.listeners = users
	}
}

func idle(short bool) *script {
	s := table("idle", "one client, no security")
	s.listeners = 1
	s.budgets = func(r *result) []budget {
		return append(within(20)(r), held(r.Latency.Count > 0 && r.Latency.P50 <= 5, "p50 ≤ 5 ms"))
	}
	if short {
		s.brief(50, 1)
	}
	return s
}

func fanout(short bool) *script {
	s := table("fanout", "all clients want all, no security")
	s.listeners, s.rate, s.writers = 5000, 100, 2
	s.budgets = within(slow)
	if short {
		s.brief(50, 50)
	}
	return s
}

// owner is a table of whose rows everybody sees their own.
func owner(policy string) func(bool) *script {
	return func(short bool) *script {
		s := table("owner", "policy "+policy)
		s.statements = protected(policy)
		s.users, s.rate, s.writers = 1000, 1000, 8
		s.budgets = within(250)
		if short {
			s.brief(100, 20)
		}
		s.arguments = func(n, _ int) []any { return []any{n, user(scatter(n, s.users)), 0, text} }
		s.wants = func(seat, n int) bool { return scatter(n, s.users) == seat }
		return s
	}
}

// scatter returns a number below most that looks random and is the same each
// time: Knuth's multiplicative hash.
func scatter(n, most int) int { return int(uint64(n) * 0x9E3779B97F4A7C15 >> 33 % uint64(most)) }

// everyone is a table whose policy only PostgreSQL can judge, in favour of all.
func everyone(policy string) func(bool) *script {
	return func(short bool) *script {
		s := table("everyone", "policy "+policy)
		s.users, s.rate, s.writers = 1000, 50, 2
		s.budgets = within(slow)
		if short {
			s.brief(50, 20)
		}
		s.statements = enrol(s.users, 1) + protected(policy)
		return s
	}
}

// filters is clients with a filter each, for their own room.
func filters(size int) func(bool) *script {
	return func(short bool) *script {
		s := table("filters", fmt.Sprintf("%d filters room_id=eq.N, one matches", size))
		s.listeners, s.rate, s.writers = size, 200, 4
		s.budgets = within(slow)
		if short {
			s.brief(50, size/50)
		}
		clients := s.listeners
		s.topic = func(seat int) string { return fmt.Sprintf("realtime:room-%d", seat) }
		s.config = func(seat int) string { return listening(fmt.Sprintf("room_id=eq.%d", seat)) }
		s.arguments = func(n, _ int) []any { return []any{n, user(0), n % clients, text} }
		s.wants = func(seat, n int) bool { return n%clients == seat }
		return s
	}
}

// rooms is a table of whose rows the members of a room see those of their room.
func rooms(short bool) *script {
	const policy = "room_id in (select room_id from public.members where user_id = auth.uid())"
	s := table("rooms", "policy "+policy)
	s.users, s.rate, s.writers = 1000, 200, 4
	s.budgets = within(slow)
	all := 50
	if short {
		s.brief(50, 20)
		all = 5
	}
	s.statements = enrol(s.users, all) + protected(policy)
	s.arguments = func(n, _ int) []any { return []any{n, user(0), n % all, text} }
	s.wants = func(seat, n int) bool { return seat%all == n%all }
	return s
}

// large is one transaction, of which a filter selects one row in a thousand. Its
// time is the longest latency.
func large(short bool) *script {
	s := table("large", "one transaction, one client whose filter matches 1 row in 1,000")
	s.listeners, s.length = 1, time.Second
	s.batch = 1_000_000
	if short {
		s.batch = 20_000
	}
	s.rate, s.warm = float64(s.batch), 0
	s.config = func(int) string { return listening("room_id=eq.7") }
	s.insert = `INSERT INTO public.notes (n, room_id, body) SELECT n, n % 1000, 'one of many rows of one transaction' FROM generate_series($1::bigint, $2::bigint) n`
	s.arguments = func(first, last int) []any { return []any{first, last} }
	s.wants = func(_, n int) bool { return n%1000 == 7 }
	return s
}

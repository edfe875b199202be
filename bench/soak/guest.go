//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/yard"
)

// room is where guests are, of both tenants.
const room = "realtime:room"

// margin is how long something may be on its way, on a busy machine.
const margin = 3 * time.Second

// A guest is a client that stays for the whole run: it is present, hears rows and
// broadcasts, and sends some. When its connection ends it comes to another node,
// as client libraries do.
type guest struct {
	stage  *stage
	tenant string
	name   string // its presence key
	sub    string
	token  string

	mu    sync.Mutex // guards stays
	stays []*stay    // all that there ever were
}

// A stay is one session of a guest. All but the session is guarded by its lock.
type stay struct {
	*session
	guest      *guest
	connection int // in the book of words

	subscribed time.Time
	told       []string // errors that system messages told
	rows       []account.Arrival
	said       []account.Arrival
	asked      map[string]int64 // words that were sent and not answered, by ref
	present    crowd
}

// invite makes the guests, and has all come.
func (s *stage) invite(ctx context.Context) (all []*guest, err error) {
	for i := range s.guests() {
		g := &guest{stage: s, tenant: ours, name: fmt.Sprintf("guest-%d", i), sub: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)}
		if i >= s.guests()-2 {
			g.tenant = theirs
		}
		if g.token, err = mint("authenticated", g.sub, 24*time.Hour); err != nil {
			return nil, err
		}
		if err := s.execute(ctx, `INSERT INTO readers VALUES ($1)`, g.sub); err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// live keeps the guest in the room until ctx ends.
func (g *guest) live(ctx context.Context, first yard.Place) {
	for at := first; ctx.Err() == nil; at = g.stage.next(at) {
		if err := g.stay(ctx, at); err != nil {
			_ = pause(ctx, 100*time.Millisecond)
		}
	}
}

// next returns the node after one.
func (s *stage) next(at yard.Place) yard.Place { return (at + 1) % yard.Place(len(s.nodes)) }

// stay is in the room, at one node, until the connection ends.
func (g *guest) stay(ctx context.Context, at yard.Place) error {
	rows := []any{}
	if g.tenant == ours {
		rows = append(rows, map[string]any{"event": "*", "schema": "public", "table": "notes"}, map[string]any{"event": "*", "schema": "public", "table": "letters"})
	}
	c, err := g.stage.connect(ctx, ticket{tenant: g.tenant, at: at, topic: room, token: g.token, config: map[string]any{
		"broadcast": map[string]any{"ack": true}, "presence": map[string]any{"key": g.name, "enabled": true}, "postgres_changes": rows,
	}})
	if err != nil {
		return err
	}
	one := &stay{session: c, guest: g, connection: g.stage.words.Enter(), asked: map[string]int64{}}
	c.hear = one.take
	g.mu.Lock()
	g.stays = append(g.stays, one)
	g.mu.Unlock()
	var run sync.WaitGroup
	run.Go(func() { c.run(ctx) })
	defer func() {
		c.end()
		run.Wait()
		g.stage.words.Leave(one.connection, c.ended)
	}()
	if err := c.enter(ctx); err != nil {
		return err
	}
	if _, err := c.push("presence", map[string]any{"type": "presence", "event": "track", "payload": map[string]any{"name": g.name}}); err != nil {
		return err
	}
	g.chat(one)
	return nil
}

// chat sends words until the channel or the connection ends.
func (g *guest) chat(one *stay) {
	tick := time.NewTicker(time.Second / wordsPerSecond)
	defer tick.Stop()
	for one.live() {
		select {
		case <-tick.C:
			one.say()
		case <-one.gone:
		}
	}
}

const wordsPerSecond = 4

// say sends one broadcast.
func (one *stay) say() {
	g := one.guest
	if g.stage.silent.Load() {
		return
	}
	id := g.stage.words.Say(account.Word{Connection: one.connection, Room: g.tenant + "/" + room, Node: int(one.at), At: time.Now()})
	// Under the lock, as the answer may come before we know what was asked.
	one.mu.Lock()
	defer one.mu.Unlock()
	ref, err := one.push("broadcast", map[string]any{"type": "broadcast", "event": "word", "payload": map[string]any{"id": id}})
	if err != nil {
		g.stage.words.Mark(id, func(w *account.Word) { w.Unsaid = true })
		return
	}
	one.asked[ref] = id
}

// take notes one message; the session's lock is held.
func (one *stay) take(m *message, at time.Time) {
	switch m.event {
	case phoenix.EventReply:
		if id, asked := one.asked[m.ref]; asked {
			delete(one.asked, m.ref)
			status, _ := phoenix.Lookup(m.payload, "status")
			one.guest.stage.words.Mark(id, func(w *account.Word) { w.Acked = string(status) == `"ok"` })
		}
	case "system":
		one.system(m, at)
	case "postgres_changes":
		var p struct {
			Data struct{ Record struct{ ID int64 } }
		}
		if json.Unmarshal(m.payload, &p) == nil {
			one.rows = append(one.rows, account.Arrival{ID: p.Data.Record.ID, At: at})
		}
	case "broadcast":
		var p struct {
			Event   string
			Payload struct{ ID int64 }
		}
		_ = json.Unmarshal(m.payload, &p) // what is none of ours has no event that we know
		switch p.Event {
		case "row":
			one.rows = append(one.rows, account.Arrival{ID: p.Payload.ID, At: at})
		case "word":
			one.said = append(one.said, account.Arrival{ID: p.Payload.ID, At: at})
		}
	case phoenix.EventPresenceState, "presence_diff":
		one.present.take(m.event, m.payload)
	}
}

// changesLost stands in what clients are told when changes could not be kept.
const changesLost = "Changes were lost"

func (one *stay) system(m *message, at time.Time) {
	var p struct{ Message, Status string }
	_ = json.Unmarshal(m.payload, &p)
	switch {
	case p.Message == "Subscribed to PostgreSQL" && one.subscribed.IsZero():
		one.subscribed = at
	case p.Status == "error":
		one.told = append(one.told, p.Message)
		if strings.Contains(p.Message, changesLost) {
			one.subscribed = time.Time{} // until it is told again
		}
	}
}

// latest returns the guest's stay if it lasts, else nil.
func (g *guest) latest() *stay {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.stays) == 0 || !g.stays[len(g.stays)-1].live() {
		return nil
	}
	return g.stays[len(g.stays)-1]
}

// all returns the guest's stays.
func (g *guest) all() []*stay {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*stay(nil), g.stays...)
}

// hearing returns what a stay heard of rows so far.
func (one *stay) hearing() account.Hearing {
	one.mu.Lock()
	defer one.mu.Unlock()
	ended := one.ended
	if ended.IsZero() {
		ended = one.over
	}
	return account.Hearing{Subject: one.guest.sub, Subscribed: one.subscribed, Ended: ended, Rows: one.rows}
}

// attendance returns what a stay heard of words so far.
func (one *stay) attendance() account.Attendance {
	one.mu.Lock()
	defer one.mu.Unlock()
	ended := one.ended
	if ended.IsZero() {
		ended = one.over
	}
	return account.Attendance{
		Connection: one.connection, Room: one.guest.tenant + "/" + room, Node: int(one.at), Joined: one.joined, Ended: ended, Words: one.said,
	}
}

// settled reports whether a stay has all that it wishes for.
func (one *stay) settled() bool {
	one.mu.Lock()
	defer one.mu.Unlock()
	return !one.joined.IsZero() && (one.guest.tenant != ours || !one.subscribed.IsZero())
}

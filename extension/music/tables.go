package music

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti"
)

//go:embed migrations/*.sql
var files embed.FS

// migrations are the tables, for the databases of tenants.
func migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the name is a valid one
	}
	return sub
}

// tables are what a room writes into its tenant's database, and knows of it. Nothing
// of a lesson waits for the database. A nil *tables has none.
type tables struct {
	db       tutti.ExtensionDatabase
	room     string // its name in music.rooms
	session  string
	teachers map[string]bool
	open     map[string]string // attendances that have not ended, by student
	before   map[string]string // those that had not when another actor had the room
	queue    []record
	sending  int // how many of the queue are on their way
	pause    time.Duration
	told     bool // that records are lost
	late     bool // something had to wait
}

// keptTables is what a new actor must know.
type keptTables struct {
	Session string            `json:"session"`
	Open    map[string]string `json:"open"`
	Queue   []record          `json:"queue,omitempty"`
}

const (
	maxQueue = 5000 // records of a room that wait
	maxSent  = 200  // in a transaction

	// Another node is given what is not written, as long as that is less than a
	// quarter of what it may be given.
	maxKeptQueue = 256 << 10 // bytes

	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
	rowPatience  = 2 * time.Second
	closeWithin  = time.Second
	seenEvery    = time.Minute
)

// openTables begins to write, if the tenant has a database, and asks it for the row of
// the room.
func (a *actor) openTables(before *keptTables) {
	db := a.room.Database()
	if db == nil {
		a.ready = true
		return
	}
	t := &tables{db: db, room: a.room.Topic().Name[len(a.set.Prefix):], open: map[string]string{}}
	a.tables = t
	if before != nil {
		t.session, t.queue, t.before = before.Session, before.Queue, before.Open
		a.house.stats.unsaved.Add(int64(len(t.queue)))
	}
	if t.session == "" {
		t.session = newUUID()
	}
	topic := a.room.Topic()
	name := topic.Wire()
	if topic.Private {
		name = "private:" + name
	}
	t.put(a, recordRoom, t.room)
	t.put(a, recordSession, t.session, t.room, name, ms(a.now()), string(toJSON(a.clock.State)))
	a.agenda.soon(giveUpOnRow, a.room.Now().Add(rowPatience))
	a.agenda.soon(stillHere, a.room.Now().Add(seenEvery))
	t.readRow(a, before == nil)
}

// A roomRow is that of the room.
type roomRow struct {
	teachers []string
	settings string
}

// readRow reads the row of the room, and lets the room begin. New says that the room
// begins as the row says.
func (t *tables) readRow(a *actor, fresh bool) {
	db, name := t.db, t.room
	a.room.Go(func(ctx context.Context) func() {
		var r roomRow
		err := db.Owner(ctx, func(tx tutti.Tx) error {
			return tx.Query(ctx, selectRoom, func(scan func(...any) error) error { return scan(&r.teachers, &r.settings) }, name)
		})
		return func() { t.haveRow(a, r, err, fresh) }
	})
}

func (t *tables) haveRow(a *actor, r roomRow, err error, fresh bool) {
	defer a.plan()
	if err != nil {
		a.room.Log().Warn("the row of a music room could not be read", "err", err)
		a.getReady()
		return
	}
	t.teachers = map[string]bool{}
	for _, id := range r.teachers {
		t.teachers[id] = true
	}
	if fresh && !a.ready && r.settings != "" && r.settings != "null" { // else there is no row yet, or it says nothing
		a.beginAs(r.settings)
	}
	a.getReady()
	for _, p := range a.people {
		a.assign(p)
	}
}

// beginAs has a new room begin with the tempo and the meter of its row.
func (a *actor) beginAs(settings string) {
	f := readFields([]byte(settings))
	tempo := Tempo(f.fixed("bpm", tempoDigits, int64(MinTempo), int64(MaxTempo), int64(a.set.Tempo)))
	meter := a.set.Meter
	if _, there := f.get("meter"); there {
		meter = f.meter()
	}
	if err := f.err(); err != nil {
		a.room.Log().Warn("the settings of a music room are wrong in music.rooms: it begins as the tenant's settings say",
			"room", a.tables.room, "err", err)
		return
	}
	if a.clock.State.Rev > 1 || tempo == a.set.Tempo && meter == a.set.Meter {
		return
	}
	now := a.now()
	a.clock.State = NewState(a.clock.State.Epoch, now, tempo, meter)
	a.announcer = NewAnnouncer(a.clock.State, now)
}

// teaches reports whether the row of the room names somebody as its teacher.
func (t *tables) teaches(id string) bool { return t != nil && t.teachers[id] }

// put has a record written.
func (t *tables) put(a *actor, kind recordKind, args ...string) {
	if len(t.queue) >= maxQueue {
		a.house.stats.lost.Add(1)
		if !t.told {
			a.room.Log().Error("records of a music room are given up: the database has not taken any for too long", "waiting", len(t.queue))
			t.told = true
		}
		return
	}
	t.queue = append(t.queue, record{kind, args})
	a.house.stats.unsaved.Add(1)
	if t.sending == 0 {
		a.agenda.soon(tryTables, a.room.Now().Add(t.pause))
	}
}

// send writes what waits, unless that is under way.
func (t *tables) send(a *actor) {
	if t == nil || t.sending > 0 || len(t.queue) == 0 {
		return
	}
	batch := t.queue[:min(len(t.queue), maxSent):min(len(t.queue), maxSent)]
	if t.pause > 0 {
		batch = batch[:1:1] // the first try after a failure: is it this one?
	}
	db := t.db
	t.sending = len(batch)
	if !a.room.Go(func(ctx context.Context) func() {
		err := write(ctx, db, batch)
		return func() { t.sent(a, err) }
	}) {
		t.sent(a, errBusy)
	}
}

var errBusy = errors.New("too much waits to be done")

// sent goes on after records were written, or were not.
func (t *tables) sent(a *actor, err error) {
	defer a.plan()
	n := t.sending
	t.sending = 0
	switch {
	case err == nil:
		t.drop(a, n)
		t.pause, t.told = 0, false
		if t.late && len(t.queue) == 0 { // another node need not write it once more
			t.late = false
			a.agenda.soon(keepState, a.room.Now())
		}
	case isHopeless(err) && n == 1:
		a.room.Log().Error("a record of a music room cannot be written", "kind", t.queue[0].Kind, "err", err)
		a.house.stats.lost.Add(1)
		t.drop(a, 1)
	case isHopeless(err):
		t.pause = firstPause // then one by one
	default:
		if t.pause == 0 {
			a.room.Log().Warn("the database does not take what a music room writes: it is tried again", "err", err)
		}
		t.late = true
		t.pause = min(max(2*t.pause, firstPause), longestPause)
	}
	if len(t.queue) > 0 {
		a.agenda.soon(tryTables, a.room.Now().Add(t.pause))
	}
}

func (t *tables) drop(a *actor, n int) {
	t.queue = append([]record(nil), t.queue[n:]...)
	a.house.stats.unsaved.Add(-int64(n))
}

// close ends the session, for now: who takes over goes on with it. It waits for the
// database for a moment, as there is nobody who could write it later.
func (t *tables) close(a *actor) {
	if t == nil {
		return
	}
	t.put(a, recordEnd, t.session, ms(a.now()))
	if t.pause == 0 { // what is on its way may be written twice
		ctx, cancel := context.WithTimeout(context.WithoutCancel(a.room.Context()), closeWithin)
		defer cancel()
		for len(t.queue) > 0 {
			n := min(len(t.queue), maxSent)
			if err := write(ctx, t.db, t.queue[:n]); err != nil {
				a.room.Log().Warn("the end of a music session is not written yet", "err", err)
				break
			}
			t.drop(a, n)
		}
	}
	a.house.stats.unsaved.Add(-int64(len(t.queue)))
}

// kept returns what a new actor must know.
func (t *tables) kept() *keptTables {
	if t == nil {
		return nil
	}
	open := maps.Clone(t.open)
	maps.Copy(open, t.before) // who has not come back yet
	k := &keptTables{Session: t.session, Open: open, Queue: t.queue}
	size := 0
	for i, r := range t.queue {
		for _, arg := range r.Args {
			size += len(arg)
		}
		if size > maxKeptQueue {
			k.Queue = t.queue[:i]
			break
		}
	}
	return k
}

// ms writes a time as milliseconds.
func ms(t Time) string { return string(fixed(int64(t), timeDigits)) }

// newUUID returns a random UUID of version 4.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it cannot fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// wholeText writes a whole number.
func wholeText[T ~int64 | ~uint64](v T) string { return strconv.FormatInt(int64(v), 10) }

package feed

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// message waits for the next message of the database.
func (n *node) message() tutti.Message {
	n.t.Helper()
	select {
	case m := <-n.messages:
		return m
	case <-time.After(patience):
		n.t.Fatal("no message came")
	}
	panic("unreachable")
}

func TestMessagesOfTheDatabaseArePublished(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	if !n.Enter(n.tenant) {
		t.Fatal("the tenant has no database")
	}
	n.hearing("anon", `[{"event":"*","schema":"public","table":"notes"}]`) // then the feed is live

	psql(t, db, `SELECT realtime.send('{"a": 1.50}', 'hello', 'room', true)`, `SELECT realtime.send_binary('\xff00', 'bytes', 'room', false)`,
		`INSERT INTO realtime.messages (topic, extension, event, payload, private) VALUES ('room', 'presence', 'e', '{}', true)`,
		`INSERT INTO realtime.messages (topic, extension, payload, private) VALUES ('room', 'broadcast', '{}', true)`,
		fmt.Sprintf(`SELECT realtime.send(jsonb_build_object('text', repeat('x', %d)), 'large', 'room', true)`, 101_000),
		`SELECT realtime.send('{"last": true}', 'last', 'room', false)`)
	first := n.message()
	var id string
	if err := db.QueryRow(t.Context(), "SELECT id::text FROM realtime.messages WHERE event = 'hello'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	if first.Topic != (tutti.Topic{Tenant: "acme", Name: "room", Private: true}) || first.Form != tutti.JSON || first.Event != "hello" ||
		string(first.Meta) != `{"id":"`+id+`"}` || string(first.Payload) != `{"a": 1.50, "id": "`+id+`"}` {
		t.Errorf("got %+v, payload %s, meta %s", first, first.Payload, first.Meta)
	}
	if m := n.message(); m.Form != tutti.Binary || m.Event != "bytes" || m.Topic.Private || string(m.Payload) != "\xff\x00" {
		t.Errorf("got %+v", m)
	}
	if m := n.message(); m.Event != "last" {
		t.Errorf("got %+v", m)
	}
}

// A choirmaster lets nobody but rooms say "song".
type choirmaster struct{ refused atomic.Int64 }

func (c *choirmaster) Guarded(*tutti.Tenant, tutti.Topic) bool { return true }

func (c *choirmaster) Forged(_ *tutti.Tenant, topic tutti.Topic, event string, way broadcast.Way) bool {
	if topic.Name != "choir" || event != "song" || way != broadcast.FromDatabase {
		return false
	}
	c.refused.Add(1)
	return true
}

func TestADatabaseDoesNotSpeakForARoom(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	var log logged
	master := &choirmaster{}
	n.Door.Guard, n.Log = master, slog.New(slog.NewTextHandler(&log, nil))
	n.Enter(n.tenant)
	n.hearing("anon", `[{"event":"*","schema":"public","table":"notes"}]`)
	psql(t, db, `SELECT realtime.send('{}', 'song', 'choir', false) FROM generate_series(1, 3)`,
		`SELECT realtime.send('{}', 'song', 'hall', false)`, `SELECT realtime.send('{}', 'chat', 'choir', false)`)
	for _, want := range []string{"hall song", "choir chat"} {
		if m := n.message(); m.Topic.Name+" "+m.Event != want {
			t.Errorf("got %s %s, want %s", m.Topic.Name, m.Event, want)
		}
	}
	if refused, lines := master.refused.Load(), strings.Count(log.String(), tutti.ExtensionEventReserved); refused != 3 || lines != 1 {
		t.Errorf("%d messages were refused, and %d lines say so", refused, lines)
	}
}

func TestMessagesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	n.Enter(n.tenant)
	n.hearing("anon", `[{"event":"*","schema":"public","table":"notes"}]`)
	psql(t, db, `DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM realtime.send(jsonb_build_object('i', i), 'n' || i, 'room', true); END LOOP; END $$`)
	for i := range 2000 {
		if m := n.message(); m.Event != fmt.Sprint("n", i+1) {
			t.Fatalf("message %d is %s", i+1, m.Event)
		}
	}
}

// A logged is what was logged.
type logged struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

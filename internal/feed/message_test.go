package feed

import (
	"fmt"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
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

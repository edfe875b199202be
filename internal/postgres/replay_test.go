package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// replayed returns the events of a replay, with commas between them.
func (p *messagesPlace) replayed(t *testing.T, topic string, since time.Time, limit int) string {
	t.Helper()
	stored, err := p.Replay(t.Context(), topic, since, limit)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]string, len(stored))
	for i, s := range stored {
		events[i] = s.Event
	}
	return strings.Join(events, ",")
}

func TestReplayIsOldestFirst(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	start := time.Now().Add(-time.Minute)
	for i := range 3 {
		// Sent from sub-transactions, from a trigger's statements, and at once.
		p.exec(t, fmt.Sprintf(`BEGIN; SELECT realtime.send('{}', '%[1]da', 'room');
			INSERT INTO realtime.messages (topic, extension, event, payload, private) VALUES
			  ('room', 'broadcast', '%[1]db', '{}', true), ('room', 'broadcast', '%[1]dc', '{}', true);
			SELECT realtime.send_binary('\x', '%[1]dd', 'room'); COMMIT`, i))
	}
	for limit, want := range map[int]string{
		100: "0a,0b,0c,0d,1a,1b,1c,1d,2a,2b,2c,2d", 12: "0a,0b,0c,0d,1a,1b,1c,1d,2a,2b,2c,2d", 5: "1d,2a,2b,2c,2d", 1: "2d", 0: "", -1: "",
	} {
		if got := p.replayed(t, "room", start, limit); got != want {
			t.Errorf("the last %d are %s", limit, got)
		}
	}
	var since time.Time
	if err := p.super.QueryRow(t.Context(), "SELECT min(inserted_at) FROM realtime.messages WHERE event = '1a'").Scan(&since); err != nil {
		t.Fatal(err)
	}
	if got := p.replayed(t, "room", since, 100); got != "1a,1b,1c,1d,2a,2b,2c,2d" {
		t.Errorf("since the second there are %s", got)
	}
	for _, since := range []time.Time{{}, time.UnixMilli(-1e15), time.UnixMilli(0)} {
		if got := p.replayed(t, "room", since, 1); got != "2d" {
			t.Errorf("since %v there is %q", since, got)
		}
	}
	if got := p.replayed(t, "room", time.UnixMilli(253402300799999), 1); got != "" {
		t.Errorf("since the end of time there is %q", got)
	}
}

// Vacuum makes room at a table's beginning, and what is stored next is put there.
func TestReplayKeepsItsOrderWhereRoomIsUsedAgain(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, `INSERT INTO realtime.messages (topic, extension) SELECT 'x', repeat('x', 200) FROM generate_series(1, 100)`)
	p.exec(t, `DELETE FROM realtime.messages WHERE id IN (SELECT id FROM realtime.messages ORDER BY ctid LIMIT 60 OFFSET 5)`)
	p.exec(t, `VACUUM realtime.messages`)
	p.exec(t, `DO $$ BEGIN FOR i IN 100..199 LOOP
		PERFORM realtime.send(jsonb_build_object('pad', repeat('y', (i % 7) * 100)), i::text, 'room'); END LOOP; END $$`)
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprint(100+i))
	}
	if got := p.replayed(t, "room", time.Time{}, 100); got != strings.Join(want, ",") {
		t.Errorf("the order is %s", got)
	}
	byPlace := messagesValue[string](t, p, "SELECT string_agg(event, ',' ORDER BY ctid) FROM realtime.messages WHERE topic = 'room'")
	if byPlace == strings.Join(want, ",") {
		t.Log("no room was used again: this test shows nothing")
	}
}

func TestReplayHasMessagesOnly(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, `INSERT INTO realtime.messages (topic, extension, event, payload, binary_payload, private, inserted_at) VALUES
		('room', 'broadcast', 'json', '{"n": 1.50, "a":[1,2]}', NULL, true, timezone('utc', now())),
		('room', 'broadcast', 'bytes', NULL, '\x00ff', true, timezone('utc', now()) + interval '1 second'),
		('room', 'broadcast', 'null', 'null', NULL, true, timezone('utc', now()) + interval '2 seconds'),
		('room', 'broadcast', 'public', '{}', NULL, false, timezone('utc', now())),
		('room', 'broadcast', 'neither', '{}', NULL, NULL, timezone('utc', now())),
		('room', 'presence', 'presence', '{}', NULL, true, timezone('utc', now())),
		('other', 'broadcast', 'other', '{}', NULL, true, timezone('utc', now())),
		('room', 'broadcast', NULL, '{}', NULL, true, timezone('utc', now())),
		('room', 'broadcast', 'empty', NULL, NULL, true, timezone('utc', now())),
		('room', 'broadcast', 'tomorrow', '{}', NULL, true, timezone('utc', now()) + interval '1 day')`)
	stored, err := p.Replay(t.Context(), "room", time.Now().Add(-time.Hour), 100)
	if err != nil || len(stored) != 3 {
		t.Fatalf("there are %+v: %v", stored, err)
	}
	for i, want := range []Stored{
		{Event: "json", Payload: []byte(`{"a": [1, 2], "n": 1.50}`)},
		{Event: "bytes", Payload: []byte("\x00\xff"), Binary: true},
		{Event: "null", Payload: []byte("null")},
	} {
		got := stored[i]
		if got.Event != want.Event || string(got.Payload) != string(want.Payload) || got.Binary != want.Binary ||
			len(got.ID) != 36 || time.Since(got.InsertedAt).Abs() > time.Minute {
			t.Errorf("there is %+v, not %+v", got, want)
		}
	}
}

func TestReplayIsBounded(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, "BEGIN; LOCK TABLE realtime.messages")
	start := time.Now()
	if _, err := p.Replay(t.Context(), "room", time.Time{}, 1); err == nil || errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("it says %v", err)
	}
	if took := time.Since(start); took < replayTimeout-time.Second || took > replayTimeout+time.Second {
		t.Errorf("it took %v", took)
	}
}

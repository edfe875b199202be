package app

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// musicField is databaseField for a tenant with classrooms.
func musicField(t testing.TB, dsn string, settings string) string {
	return strings.TrimSuffix(databaseField(t, dsn, nil), "]") + `, {"type": "music", "settings": ` + settings + `}]`
}

// withMusic runs a test with a server whose tenant has classrooms and a database.
func withMusic(t *testing.T, dsn string, test func(*script)) {
	run(t, tcp(t), func(s *script) {
		s.unlimited()
		s.fields = append(s.fields, musicField(t, dsn, `{}`))
		s.log = slog.NewTextHandler(t.Output(), nil) // shown with a test that fails
		test(s)
	})
}

// learner returns somebody whose token has a subject.
func learner(sub, role string) identity {
	return identity{name: sub, role: "authenticated", sub: sub, claims: map[string]any{
		"app_metadata": map[string]any{"music_role": role},
	}}
}

// attend has somebody join a classroom, and waits for its state.
func (s *script) attend(who identity, room string) *speaker {
	c := s.enter(who.name, who, "1.0.0")
	c.push("realtime:music_room:"+room, "phx_join", "1", `{"config":{}}`)
	c.hearUntil("broadcast room_state")
	return c
}

// eventually waits until a query has a result.
func (c *console) eventually(want, sql string, args ...any) {
	c.t.Helper()
	deadline := time.After(10 * time.Second)
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		got := c.value(sql, args...)
		if got == want {
			return
		}
		select {
		case <-pause.C:
		case <-deadline:
			c.t.Fatalf("%s: %q, not %q", sql, got, want)
		}
	}
}

// as returns what a query has as its result for a member.
func (c *console) as(sub, sql string) string {
	c.t.Helper()
	claims, err := json.Marshal(map[string]string{"sub": sub, "role": "authenticated"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.do("SELECT set_config('request.jwt.claims', $1, false), set_config('role', 'authenticated', false)", string(claims))
	defer c.do("RESET role")
	return c.value(sql)
}

func TestMusicTables(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := consoleOf(t, dsn)
	withMusic(t, dsn, func(s *script) {
		tea := s.attend(learner("tea", "teacher"), "7b")
		ann := s.attend(learner("ann", "student"), "7b")
		s.attend(learner("eve", "student"), "8c")
		db.eventually("3", "SELECT count(*)::text FROM music.attendance")
		db.eventually("tea", "SELECT array_to_string(teachers, ',') FROM music.rooms WHERE name = '7b'")

		room := "realtime:music_room:7b"
		tea.push(room, "broadcast", "2", `{"type":"broadcast","event":"set_tempo","payload":{"bpm":90,"key":"k"}}`)
		tea.push(room, "broadcast", "3", `{"type":"broadcast","event":"start_take","payload":{"at":"now"}}`)
		_, started := ann.hearUntil("broadcast take_started")
		ann.push(room, "broadcast", "2", fmt.Sprintf(
			`{"type":"broadcast","event":"take_events","payload":{"take":%q,"seq":0,"ev":[[1,60,90]]}}`, field(t, started, "take")))
		db.eventually("1", "SELECT count(*)::text FROM music.onsets")
		tea.push(room, "broadcast", "4", `{"type":"broadcast","event":"stop_take","payload":{"at":"now"}}`)
		db.eventually("1", "SELECT count(*)::text FROM music.scores")
		db.eventually("tempo_changed", "SELECT tempo_map -> 1 ->> 'event' FROM music.sessions WHERE room = '7b'")
		db.do("INSERT INTO music.reflections (room, student_id, mood, text) VALUES ('7b', 'ann', 4, 'well')")

		// Who sees how many rows of which table.
		for table, want := range map[string]string{
			"rooms": "tea 1, ann 1, eve 1, stranger 0", "sessions": "tea 1, ann 1, eve 1, stranger 0",
			"attendance": "tea 2, ann 1, eve 1, stranger 0", "takes": "tea 1, ann 1, eve 0, stranger 0",
			"onsets": "tea 1, ann 1, eve 0, stranger 0", "scores": "tea 1, ann 1, eve 0, stranger 0",
			"reflections": "tea 1, ann 1, eve 0, stranger 0",
		} {
			var got []string
			for _, who := range []string{"tea", "ann", "eve", "stranger"} {
				got = append(got, who+" "+db.as(who, "SELECT count(*)::text FROM music."+table))
			}
			if all := strings.Join(got, ", "); all != want {
				t.Errorf("of music.%s see %s rows, not %s", table, all, want)
			}
		}

		if got := db.value("SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_publication_tables WHERE schemaname = 'music'"); got != "attendance reflections rooms scores sessions takes" {
			t.Errorf("in the publication are %s", got)
		}

		// When the last has gone the session is over.
		ann.leave()
		tea.leave()
		db.eventually("0", "SELECT count(*)::text FROM music.sessions WHERE room = '7b' AND ended_at IS NULL")
		db.eventually("0", "SELECT count(*)::text FROM music.attendance WHERE room = '7b' AND left_at IS NULL")
		// Who comes back goes on with it.
		s.attend(learner("tea", "teacher"), "7b")
		db.eventually("1", "SELECT count(*)::text FROM music.sessions WHERE room = '7b' AND ended_at IS NULL")
		db.eventually("1", "SELECT count(*)::text FROM music.sessions WHERE room = '7b'")
	})
}

// leave ends the connection.
func (c *speaker) leave() { _ = c.conn.Close() }

// field returns a text in the payload of a broadcast that the room sent.
func field(t *testing.T, u utterance, name string) string {
	t.Helper()
	var payload struct{ Payload map[string]any }
	if err := json.Unmarshal(u.Payload, &payload); err != nil {
		t.Fatal(err)
	}
	text, _ := payload.Payload[name].(string)
	return text
}

func TestMusicWritesOnlyOwnReflections(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := consoleOf(t, dsn)
	withMusic(t, dsn, func(s *script) {
		s.attend(learner("ann", "student"), "7b")
		db.eventually("1", "SELECT count(*)::text FROM music.attendance")
		const path = "/api/extensions/music/rooms/7b/reflections"
		for name, tt := range map[string]struct {
			who    identity
			body   string
			status int
		}{
			"her own":             {learner("ann", ""), `{"mood":3,"text":"so so"}`, http.StatusCreated},
			"who was not there":   {learner("eve", ""), `{"mood":3}`, http.StatusForbidden},
			"a guest":             {identity{role: "anon"}, `{"mood":3}`, http.StatusForbidden},
			"no mood":             {learner("ann", ""), `{"text":"hm"}`, http.StatusUnprocessableEntity},
			"too much of a mood":  {learner("ann", ""), `{"mood":7}`, http.StatusUnprocessableEntity},
			"half a mood":         {learner("ann", ""), `{"mood":2.5}`, http.StatusUnprocessableEntity},
			"no JSON":             {learner("ann", ""), `mood`, http.StatusUnprocessableEntity},
			"too long a text":     {learner("ann", ""), `{"mood":3,"text":"` + strings.Repeat("é", 2001) + `"}`, http.StatusUnprocessableEntity},
			"a text with a zero":  {learner("ann", ""), `{"mood":3,"text":"a\u0000b"}`, http.StatusCreated},
			"a body that is huge": {learner("ann", ""), `{"mood":3,"text":"` + strings.Repeat("x", 70_000) + `"}`, http.StatusRequestEntityTooLarge},
		} {
			if status, text := s.rest(path, "application/json", tt.body, s.mint(tt.who), ""); status != tt.status {
				t.Errorf("%s: %d %s, not %d", name, status, text, tt.status)
			}
		}
		// In SQL too, nobody writes for others.
		const forge = "INSERT INTO music.reflections (room, student_id, mood) VALUES ('7b', 'tea', 5)"
		db.do("SELECT set_config('request.jwt.claims', '{\"sub\":\"ann\"}', false), set_config('role', 'authenticated', false)")
		if _, err := db.conn.Exec(t.Context(), forge); err == nil || !strings.Contains(err.Error(), "row-level security") {
			t.Errorf("a reflection in somebody else's name: %v", err)
		}
		for _, forbidden := range []string{
			"UPDATE music.rooms SET teachers = '{ann}'", "DELETE FROM music.scores", "INSERT INTO music.rooms (name) VALUES ('9d')",
		} {
			if _, err := db.conn.Exec(t.Context(), forbidden); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("%s: %v", forbidden, err)
			}
		}
		db.do("RESET role")
	})
}

func TestMusicMigrationsRunTwice(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := consoleOf(t, dsn)
	for range 2 {
		withMusic(t, dsn, func(s *script) {
			s.attend(learner("tea", "teacher"), "7b")
			db.eventually("1", "SELECT count(*)::text FROM music.rooms")
			// As if a node had been stopped between a migration and its note.
			db.do("DELETE FROM realtime.extension_migrations")
		})
	}
}

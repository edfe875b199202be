package app

import (
	"testing"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// The database dies in the midst of a lesson. Nobody notices, and nothing is missing from
// the tables when it is back.
func TestMusicWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	server, dsn := postmastertest.Server(t)
	withMusic(t, dsn, func(s *script) {
		tea, ann := s.attend(learner("tea", "teacher"), "7b"), s.attend(learner("ann", "student"), "7b")
		db := consoleOf(t, dsn)
		db.eventually("2", "SELECT count(*)::text FROM music.attendance")
		if err := server.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		const room = "realtime:music_room:7b"
		tea.push(room, "broadcast", "2", `{"type":"broadcast","event":"set_tempo","payload":{"bpm":90}}`)
		ann.hearUntil("broadcast tempo_changed")
		ann.push(room, "broadcast", "2", `{"type":"broadcast","event":"play_note","payload":{"midi":60}}`)
		tea.hearUntil("broadcast student_note")
		s.attend(learner("bob", "student"), "7b")
		s.attend(learner("eve", "student"), "8c") // a room that nobody was in before
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		db = consoleOf(t, dsn)
		db.eventually("ann bob eve tea", "SELECT string_agg(student_id, ' ' ORDER BY student_id) FROM music.attendance")
		db.eventually("1", "SELECT count(*)::text FROM music.sessions WHERE tempo_map -> 1 ->> 'event' = 'tempo_changed'")
	})
}

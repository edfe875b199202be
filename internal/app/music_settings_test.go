package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// A pad is a log that is read.
type pad struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (p *pad) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(line)
}

// count returns how many lines have something in them.
func (p *pad) count(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Count(p.text.String(), what)
}

// What stands in music.rooms is what PostgreSQL gives back of it, so that a real one
// is asked.
func TestRoomsBeginAsTheirRowsSay(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	var log pad
	run(t, tcp(t), func(s *script) {
		s.unlimited()
		s.fields = append(s.fields, musicField(t, dsn, `{"bpm": 100}`))
		s.log = slog.NewTextHandler(&log, nil)
		s.attend(learner("tea", "teacher"), "the first") // has the tables made
		db := consoleOf(t, dsn)
		db.eventually("1", "SELECT count(*)::text FROM music.rooms")
		complaints := 0
		for settings, tt := range map[string]struct {
			bpm   float64
			wrong bool
		}{
			`{}`:                            {bpm: 100},
			`{"bpm": 90}`:                   {bpm: 90},
			`{"bpm": 72.5, "meter": "3/4"}`: {bpm: 72.5},
			`null`:                          {bpm: 100},
			`[]`:                            {bpm: 100, wrong: true},
			`"{}"`:                          {bpm: 100, wrong: true},
			`{"bpm": 5000}`:                 {bpm: 100, wrong: true},
		} {
			db.do("INSERT INTO music.rooms (name, settings) VALUES ($1, $1::text::jsonb)", settings)
			if tt.wrong {
				complaints++
			}
			c := s.enter("ann in "+settings, learner("ann", "student"), "1.0.0")
			c.push("realtime:music_room:"+settings, "phx_join", "1", `{"config":{}}`)
			_, state := c.hearUntil("broadcast room_state")
			if !strings.Contains(string(state.Payload), fmt.Sprintf(`"bpm":%v`, tt.bpm)) {
				t.Errorf("%s: the room begins with %s", settings, state.Payload)
			}
			if n := log.count("wrong in music.rooms"); n != complaints {
				t.Errorf("%s: %d complaints, want %d", settings, n, complaints)
			}
		}
	})
}

package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A trap is a log that panics when a message is logged. That is the fault which
// these tests inject: all rooms log.
type trap struct {
	on string // the message

	mu    sync.Mutex // guards notes
	notes []string   // what was logged as an error
}

func (h *trap) Enabled(context.Context, slog.Level) bool { return true }
func (h *trap) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *trap) WithGroup(string) slog.Handler            { return h }

func (h *trap) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.on {
		panic("a fault that was injected")
	}
	if r.Level >= slog.LevelError {
		h.mu.Lock()
		defer h.mu.Unlock()
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += fmt.Sprint(" ", a); return true })
		h.notes = append(h.notes, text)
	}
	return nil
}

// said returns what was logged as an error.
func (h *trap) said() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.notes...)
}

// A panic in what one connection does ends this connection with 1011. It is
// logged once, with its stack, of which the client sees nothing; and everybody
// else goes on.
func TestAPanicInOneConnection(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		on      string // the message whose logging panics
		connect string
		fields  string // of the tenant
		do      func(ann, bob *speaker)
	}{
		"while its frame is handled": {on: "unknown event", do: func(ann, _ *speaker) {
			ann.send(`["1","2","realtime:ann","boom",{}]`)
		}},
		"while its token is checked": {on: "channel shut down", connect: "ttl=30s", do: func(_, _ *speaker) {
			time.Sleep(31 * time.Second) // virtual
		}},
		"while it is handed a message": {on: "channel shut down", fields: "max_events_per_second: 3", do: func(ann, bob *speaker) {
			ann.send(`["2","2","realtime:bob","phx_join",{"config":{}}]`)
			ann.next()
			for n := range 60 {
				bob.say("bob", n, "")
				if n < 59 {
					ann.next()
				}
				if n == 58 {
					time.Sleep(6 * time.Second) // virtual: over the limit from here on
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				run(t, pipes(), func(s *script) {
					trap := &trap{on: tt.on}
					s.log = trap
					if tt.fields != "" {
						s.fields = append(s.fields, tt.fields)
					}
					s.flags = append(s.flags, "--loops=1")
					s.connect("ann", tt.connect)
					ann := s.client("ann")
					ann.join("ann")
					bob := s.join("bob", "bob")
					tt.do(ann, bob)
					f := ann.next()
					if got := ann.describe(f); got != "close 1011 " || bytes.Contains(f.payload, []byte("goroutine")) {
						t.Errorf("got %s, want a close 1011 without a word", got)
					}
					_ = ann.conn.Close()
					bob.fence("after")
					if notes := trap.said(); len(notes) != 1 || !strings.Contains(notes[0], "a fault that was injected") || !strings.Contains(notes[0], "goroutine ") {
						t.Errorf("logged %q, want one note with a stack", notes)
					}
					if n := s.hangups("1011"); n != 1 {
						t.Errorf("%d hangups are counted, want 1", n)
					}
					synctest.Wait()
					if n := s.app.sockets.Open(); n != 1 {
						t.Errorf("%d connections are left, want 1", n)
					}
				})
			})
		})
	}
}

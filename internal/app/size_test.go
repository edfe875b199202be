package app

import (
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// heartbeat returns a heartbeat of so many bytes.
func heartbeat(size int) string {
	const start, end = `[null,"big","phoenix","heartbeat",{"x":"`, `"}]`
	return start + strings.Repeat("x", size-len(start)-len(end)) + end
}

func TestTheSizeOfAMessage(t *testing.T) {
	t.Parallel()
	const most = 5_000_000
	for name, tt := range map[string]struct {
		frames []string // one message, in fragments
		code   string   // "" when it is taken
	}{
		"five million bytes are taken":                  {frames: []string{heartbeat(most)}},
		"one more is not":                               {frames: []string{heartbeat(most + 1)}, code: "1009"},
		"in fragments, five million are taken":          {frames: cut(heartbeat(most), 7)},
		"in fragments, one more is not":                 {frames: cut(heartbeat(most+1), 7), code: "1009"},
		"a fragment that goes over the limit by itself": {frames: []string{"x", heartbeat(most)}, code: "1009"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(s *script) {
				s.connect("ann", "")
				s.connect("bob", "")
				ann, bob := s.client("ann"), s.client("bob")
				for i, f := range tt.frames {
					first := byte(websocket.Continuation)
					if i == 0 {
						first = byte(websocket.Text)
					}
					if i == len(tt.frames)-1 {
						first |= 0x80
					}
					ann.throw(masked(first, f))
				}
				if tt.code != "" {
					ann.closed(tt.code)
				} else {
					ann.expect(`[null,"big","phoenix","phx_reply",{"status":"ok","response":{}}]`)
				}
				bob.fence("after")
			})
		})
	}
}

// cut cuts a text into n pieces.
func cut(s string, n int) (pieces []string) {
	for ; n > 1; n-- {
		pieces = append(pieces, s[:len(s)/n])
		s = s[len(s)/n:]
	}
	return append(pieces, s)
}

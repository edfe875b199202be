package app

import (
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// nested returns so many arrays, one in the other.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestFramesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	const text, binary, final = byte(websocket.Text), byte(websocket.Binary), 0x80
	const joined = `["1","1","realtime:a","phx_join",{"config":{}}]`
	for name, tt := range map[string]struct {
		first   byte   // of the frame
		payload string // of the frame
		raw     []byte // the frame, in place of these
		code    string // "" when it is dropped, and the connection stays usable
	}{
		"an empty text":                      {first: text | final},
		"an empty binary message":            {first: binary | final},
		"10,000 nested arrays":               {first: text | final, payload: `[null,"1","phoenix","heartbeat",` + nested(10_000) + `]`},
		"a million open brackets":            {first: text | final, payload: strings.Repeat("[", 200_000)},
		"objects nested in a join":           {first: text | final, payload: `["1","1","realtime:a","phx_join",` + strings.Repeat(`{"a":`, 10_000) + `1` + strings.Repeat(`}`, 10_000) + `]`},
		"invalid UTF-8 in a topic":           {first: text | final, payload: "[\"1\",\"1\",\"realtime:\xff\xfe\",\"phx_join\",{}]"},
		"invalid UTF-8 in a payload":         {first: text | final, payload: "[\"1\",\"1\",\"realtime:a\",\"phx_join\",{\"config\":{\"presence\":{\"key\":\"\xc3\"}}}]"},
		"half a surrogate pair":              {first: text | final, payload: "[\"1\",\"1\",\"phoenix\",\"heartbeat\",{\"a\":\"\xed\xa0\x80\"}]"},
		"a NUL byte in a text":               {first: text | final, payload: "[\"1\",\"1\",\"realtime:\x00\",\"phx_join\",{}]"},
		"a ref of a million digits":          {first: text | final, payload: `[null,` + strings.Repeat("1", 200_000) + `,"phoenix","heartbeat",{}]`},
		"a ref of a million letters":         {first: text | final, payload: `[null,"` + strings.Repeat("r", 200_000) + `","phoenix","heartbeat",{}]`},
		"a ref that is an object":            {first: text | final, payload: `[null,{"a":1},"phoenix","heartbeat",{}]`},
		"a million members":                  {first: text | final, payload: `[` + strings.Repeat("1,", 200_000) + `1]`},
		"text after the message":             {first: text | final, payload: joined + joined},
		"a byte order mark":                  {first: text | final, payload: "\xef\xbb\xbf" + joined},
		"binary kind 0 without its fields":   {first: binary | final, payload: "\x00"},
		"binary kind 0 with long lengths":    {first: binary | final, payload: "\x00\xff\xff\xff\xffa"},
		"binary kind 1, a reply":             {first: binary | final, payload: "\x01\x00\x00\x00\x00"},
		"binary kind 2, a broadcast":         {first: binary | final, payload: "\x02\x01\x01te"},
		"binary kind 3 without its fields":   {first: binary | final, payload: "\x03\x01\x01\x09\x01"},
		"binary kind 3 with broken JSON":     {first: binary | final, payload: "\x03\x01\x01\x0a\x01\x00\x0111realtime:ae{\"a\":"},
		"binary kind 4, which servers send":  {first: binary | final, payload: "\x04\x0a\x01\x00\x01realtime:ae{}"},
		"binary kind 255":                    {first: binary | final, payload: "\xff\xff\xff\xff\xff\xff"},
		"JSON in a binary message":           {first: binary | final, payload: joined},
		"a pong that nobody asked for":       {first: byte(websocket.Pong) | final, payload: "why"},
		"an unmasked frame":                  {raw: websocket.AppendFrame(nil, websocket.Text, []byte(joined)), code: "1002"},
		"a reserved opcode":                  {first: 0x3 | final, payload: joined, code: "1002"},
		"a reserved control opcode":          {first: 0xB | final, code: "1002"},
		"a reserved bit":                     {first: text | final | 0x40, payload: joined, code: "1002"},
		"a ping in fragments":                {first: byte(websocket.Ping), payload: "half", code: "1002"},
		"a close in fragments":               {first: byte(websocket.Close), payload: "\x03\xe8", code: "1002"},
		"a ping of 126 bytes":                {first: byte(websocket.Ping) | final, payload: strings.Repeat("p", 126), code: "1002"},
		"a continuation of nothing":          {first: final, payload: joined, code: "1002"},
		"a message inside another":           {raw: append(masked(text, "[1"), masked(text|final, joined)...), code: "1002"},
		"a length with its first bit set":    {raw: []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, code: "1002"},
		"the largest length there is":        {raw: []byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, code: "1009"},
		"a length in more bytes than needed": {raw: []byte{0x82, 0xfe, 0, 1, 0, 0, 0, 0, 'x'}, code: "1002"},
		"a close with half a code":           {first: byte(websocket.Close) | final, payload: "\x03", code: "1002"},
		"a close with a code of nobody's":    {first: byte(websocket.Close) | final, payload: "\x03\xee", code: "1002"},
		"a close whose reason is no UTF-8":   {first: byte(websocket.Close) | final, payload: "\x03\xe8\xff", code: "1007"},
		"HTTP where frames should be":        {raw: []byte("GET / HTTP/1.1\r\nHost: acme.localhost\r\n\r\n"), code: "1002"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(s *script) {
				s.connect("ann", "")
				s.connect("bob", "")
				ann, bob := s.client("ann"), s.client("bob")
				frame := tt.raw
				if frame == nil {
					frame = masked(tt.first, tt.payload)
				}
				ann.throw(frame)
				if tt.code != "" {
					ann.closed(tt.code)
				} else {
					ann.silent()
					ann.join("a")
				}
				bob.fence("after")
			})
		})
	}
}

func TestOddButLawfulFrames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ send, expect string }{
		"NUL escapes in a topic are a topic": {
			`["1","1","realtime:a\u0000b","phx_join",{"config":{}}]`,
			`["1","1","realtime:a\u0000b","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}]`},
		"NUL escapes in an event mean nothing more than others": {
			`["1","1","realtime:a","a\u0000b",{}]`,
			`[null,"1","realtime:a","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`},
		"of two members of one name the last counts": {
			`["1","1","realtime:a","phx_join",{"config":{"private":true},"config":{}}]`,
			`["1","1","realtime:a","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}]`},
		"a topic of nobody's": {
			`["1","1","","phx_join",{}]`,
			`[null,"1","","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`},
		"a topic of 8,192 bytes": {
			`["1","1","realtime:` + strings.Repeat("t", 8183) + `","phx_join",{"config":{}}]`,
			`["1","1","realtime:` + strings.Repeat("t", 8183) + `","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}]`},
		"a longer topic is refused at once": {
			`["1","1","realtime:` + strings.Repeat("t", 8184) + `","phx_join",{"config":{}}]`,
			`[null,"1","realtime:` + strings.Repeat("t", 8184) + `","phx_reply",{"status":"error","response":{"reason":"topic is longer than 8192 bytes"}}]`},
		"what stands behind the payload is not looked at": {
			`[null,"1","phoenix","heartbeat",{},1]`,
			`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`},
		"a leave of what is not joined": {
			`["1","1","realtime:a","phx_leave",{}]`,
			`[null,"1","realtime:a","phx_reply",{"status":"ok","response":{}}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(s *script) {
				s.connect("ann", "")
				s.client("ann").send(tt.send)
				s.client("ann").expect(tt.expect)
			})
		})
	}
}

// NUL escapes go through as they came.
func TestNULInABroadcast(t *testing.T) {
	t.Parallel()
	everywhere(t, func(s *script) {
		ann, bob := s.join("ann", "a"), s.join("bob", "a")
		const payload = `{"event":"x\u0000","payload":{"a\u0000":"\u0000"}}`
		ann.send(`["1",null,"realtime:a","broadcast",` + payload + `]`)
		bob.expect(`[null,null,"realtime:a","broadcast",` + payload + `]`)
	})
}

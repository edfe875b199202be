package load

import (
	"testing"
)

const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in    string
		ended bool
		want  string // the refusal
		rest  string
		wait  bool
	}{
		"half a header waits":                  {in: "HTTP/1.1 101 Swi", wait: true},
		"half a header and the end":            {in: "HTTP/1.1 101 Swi", ended: true, want: "the answer is not HTTP"},
		"bytes after the answer are the first": {in: accepted + accept() + "\r\n\r\nabc", rest: "abc"},
		"another key's answer":                 {in: accepted + "x\r\n\r\n", want: `wrong Sec-WebSocket-Accept "x"`},
		"a refusal says why":                   {in: "HTTP/1.1 401 Unauthorized\r\nContent-Length: 30\r\n\r\n" + `{"error":"API key is missing"}`, want: "401 API key is missing"},
		"a refusal waits for its text":         {in: "HTTP/1.1 401 Unauthorized\r\nContent-Length: 30\r\n\r\n" + `{"err`, wait: true},
		"a text that is cut off":               {in: "HTTP/1.1 400 Bad\r\nContent-Length: 30\r\n\r\nno", ended: true, want: "400 no"},
		"a refusal may be silent":              {in: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", want: "403"},
		"a gateway has its own form":           {in: "HTTP/1.1 404 x\r\nContent-Length: 21\r\n\r\n" + `{"message":"no Route"}`[:21], want: `404 {"message":"no Route"`},
		"no HTTP at all":                       {in: "SSH-2.0\r\n\r\n", want: "the answer is not HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := parseAnswer([]byte(tt.in), tt.ended)
			if ok == tt.wait || got.refusal != tt.want || string(got.rest) != tt.rest {
				t.Errorf("parseAnswer = %+v, %v", got, ok)
			}
		})
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(accepted+accept()+"\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, ended bool) {
		if _, ok := parseAnswer(data, ended); ended && !ok {
			t.Error("there is no more to wait for")
		}
	})
}

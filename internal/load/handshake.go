package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// handshakeKey is the Sec-WebSocket-Key of every connection. It needs no
// randomness: no cache stands between us and the server.
const handshakeKey = "dHV0dGktbG9hZC1nZW4hIQ=="

// maxAnswer is the longest answer to a handshake in bytes, with a refusal's body.
const maxAnswer = 16 << 10

// request returns the bytes of the handshake. RFC 6455, section 4.1.
func (t *target) request() []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tutti-bench\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
		t.path, t.host, handshakeKey)
}

// An answer is what a server said to a handshake.
type answer struct {
	refusal string // why there is no WebSocket, "" if there is one
	rest    []byte // what followed the answer; aliases what was read
}

// parseAnswer reads the answer to the handshake. Ended says that no more bytes
// will come; until then a refusal waits for the body its header promised. It is
// not ok while there is too little.
func parseAnswer(data []byte, ended bool) (a answer, ok bool) {
	_, after, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		if ended || len(data) > maxAnswer {
			return answer{refusal: "the answer is not HTTP"}, true
		}
		return a, false
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		return answer{refusal: "the answer is not HTTP"}, true
	}
	defer func() { _ = r.Body.Close() }() // it is in memory
	if r.StatusCode == http.StatusSwitchingProtocols {
		if got := r.Header.Get("Sec-WebSocket-Accept"); got != websocket.Accept(handshakeKey) {
			return answer{refusal: fmt.Sprintf("wrong Sec-WebSocket-Accept %q", got)}, true
		}
		return answer{rest: after}, true
	}
	body, err := io.ReadAll(r.Body)
	if err != nil && !ended && len(data) < maxAnswer {
		return a, false
	}
	return answer{refusal: strings.TrimSpace(fmt.Sprintf("%d %s", r.StatusCode, reason(body)))}, true
}

// reason returns the text of a refusal's body, which is {"error":"text"}.
func reason(body []byte) string {
	var refused struct{ Error, Message string }
	if json.Unmarshal(body, &refused) == nil {
		if refused.Error != "" {
			return refused.Error
		}
		if refused.Message != "" {
			return refused.Message
		}
	}
	return clip(string(bytes.TrimSpace(body)))
}

// clip cuts a text of the server to what fits a line.
func clip(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

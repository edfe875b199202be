package music

import (
	"encoding/json"
	"time"

	"github.com/tutti-realtime/tutti"
)

// longestEcho is the longest id or c0 that is sent back, bytes.
const longestEcho = 64

// pong answers clock_ping with when its bytes were read and when the answer was
// made, and by which clock. Any node may answer: rooms count in Unix time, by the clocks
// of the nodes.
func (h *house) pong(e *tutti.Event, received time.Time) (event string, payload []byte, answered bool) {
	if e.Name != ClockPing {
		return "", nil, false
	}
	var ping struct {
		ID json.RawMessage `json:"id"`
		C0 json.RawMessage `json:"c0"`
	}
	if json.Unmarshal(e.Payload, &ping) != nil || !isScalar(ping.ID) || !isScalar(ping.C0) {
		return Refused, toJSON(refusedPayload{
			Command: ClockPing,
			Refusal: *refuse(BadPayload, "id and c0 must be numbers or strings of %d characters at most", longestEcho),
		}), true
	}
	reply := make([]byte, 0, 224)
	reply = append(append(reply, `{"id":`...), ping.ID...)
	reply = append(append(reply, `,"c0":`...), ping.C0...)
	epoch := h.watch.epoch()
	reply = append(append(reply, `,"s1":`...), fixed(int64(clock(received)), timeDigits)...)
	reply = append(append(reply, `,"s2":`...), fixed(int64(clock(time.Now())), timeDigits)...)
	reply = append(append(append(reply, `,"epoch":"`...), epoch...), `"}`...)
	return ClockPong, reply, true
}

// isScalar reports whether a JSON value is a number or a string that is not long.
func isScalar(v json.RawMessage) bool {
	return len(v) > 0 && len(v) <= longestEcho && v[0] != '{' && v[0] != '[' && v[0] != 'n'
}

// clock returns a time of the server's clock.
func clock(t time.Time) Time { return clampTime(Time(t.UnixNano())) }

// wall is the inverse of clock.
func (t Time) wall() time.Time { return time.Unix(0, int64(t)) }

// toJSON writes what cannot fail to be written.
func toJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the room is opened anew
	}
	return text
}

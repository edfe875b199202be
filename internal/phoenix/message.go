package phoenix

import (
	"slices"

	"github.com/tutti-realtime/tutti"
)

// AppendMessage appends m as every listener of version v receives it, with null
// refs: the fan-out of a topic. Text says whether it is a text or a binary
// WebSocket message. It is not ok, and dst comes back as it was, if v cannot
// carry m: bytes that are not JSON to V1; a topic, event or metadata of more
// than 255 bytes in a binary frame. With an empty dst it allocates once, unless
// there is much to escape.
func AppendMessage(dst []byte, v Version, m *tutti.Message) (out []byte, text, ok bool) {
	switch {
	case m.Form == tutti.Object:
		dst = appendHead(grow(dst, m, 64), v, &head{
			prefix: m.Topic.Prefix(),
			topic:  m.Topic.Name,
			event:  m.Event,
		})
		dst = appendPayload(dst, m.Payload)
		return appendTail(dst, v, nil), true, true
	case m.Form == tutti.JSON && v == V1:
		return appendWrapped(grow(dst, m, 128), m), true, true
	case (m.Form == tutti.JSON || m.Form == tutti.Binary) && v == V2:
		out, ok = appendUserBroadcast(grow(dst, m, 64), m)
		return out, false, ok
	}
	return dst, false, false
}

// grow makes room for m and the given number of bytes around it.
func grow(dst []byte, m *tutti.Message, around int) []byte {
	return slices.Grow(dst, len(m.Topic.Name)+len(m.Event)+len(m.Payload)+len(m.Meta)+around)
}

package hub

import (
	"sync"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A Message is on its way to listeners. It is encoded once for each serializer,
// when the first listener that speaks it asks, and all share the bytes.
type Message struct {
	tutti.Message

	v1, v2 frame
}

type frame struct {
	once  sync.Once
	bytes []byte
}

// Frame returns the message as a whole WebSocket frame for clients that speak
// v, nil when it cannot be said in v. Nobody may change the bytes.
func (m *Message) Frame(v phoenix.Version) []byte {
	f := &m.v2
	if v == phoenix.V1 {
		f = &m.v1
	}
	f.once.Do(func() { f.bytes = seal(v, &m.Message) })
	return f.bytes
}

// frameWords is room for what stands around a message in any serializer, so
// that a frame is allocated once.
const frameWords = 128

// seal encodes m as a frame.
func seal(v phoenix.Version, m *tutti.Message) []byte {
	size := websocket.Room + frameWords + len(m.Topic.Name) + len(m.Event) + len(m.Meta) + len(m.Payload)
	buf, text, ok := phoenix.AppendMessage(make([]byte, websocket.Room, size), v, m)
	if !ok {
		return nil
	}
	if text {
		return websocket.Seal(websocket.Text, buf)
	}
	return websocket.Seal(websocket.Binary, buf)
}

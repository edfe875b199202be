package changes

import (
	"slices"
	"strconv"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A Row is a change on its way to the channels of one event loop, as those see
// it that have the same rights and the same select. It is for one goroutine.
type Row struct {
	Kind tutti.ChangeKind
	Data []byte // what View.Append wrote; shared, and never changed

	frames [2]rowFrame // by serializer; the frame that was made last
}

type rowFrame struct {
	bytes []byte
	topic string
	bare  bool
	ids   []uint32
}

// frameWords is room for what stands around the data, so that a frame is
// allocated once.
const frameWords = 96

// Frame returns the change as a whole WebSocket frame for a channel. Channels
// of the same topic whose entries have the same ids share the bytes, which
// nobody may change. Protocol, section 3.11.
func (r *Row) Frame(v phoenix.Version, topic tutti.Topic, ids []uint32) []byte {
	f := &r.frames[slot(v)]
	if f.bytes != nil && f.topic == topic.Name && f.bare == topic.Bare && slices.Equal(f.ids, ids) {
		return f.bytes
	}
	payload := make([]byte, 0, len(r.Data)+frameWords)
	payload = append(payload, `{"ids":[`...)
	for i, id := range ids {
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = strconv.AppendUint(payload, uint64(id), 10)
	}
	payload = append(append(append(payload, `],"data":`...), r.Data...), '}')
	*f = rowFrame{r.seal(v, topic, "postgres_changes", payload), topic.Name, topic.Bare, slices.Clone(ids)}
	return f.bytes
}

// OldFrame is Frame for a channel of the old kind, whose join had no config:
// the event is the kind of the change. Protocol, section 3.4.
func (r *Row) OldFrame(v phoenix.Version, topic tutti.Topic) []byte {
	return r.seal(v, topic, r.Kind.String(), r.Data)
}

func (r *Row) seal(v phoenix.Version, topic tutti.Topic, event string, payload []byte) []byte {
	buf := make([]byte, websocket.Room, websocket.Room+frameWords+len(topic.Name)+len(payload))
	return websocket.Seal(websocket.Text, phoenix.AppendPush(buf, v, nil, topic.Wire(), event, payload))
}

func slot(v phoenix.Version) int {
	if v == phoenix.V1 {
		return 0
	}
	return 1
}

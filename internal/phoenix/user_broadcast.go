package phoenix

import "github.com/tutti-realtime/tutti"

// userBroadcastHeader is the size of the kind, the three lengths and the
// encoding of a user broadcast from the server.
const userBroadcastHeader = 5

// appendUserBroadcast appends m as the server sends it to V2 clients, kind 4:
//
//	04 | topic_len | user_event_len | metadata_len | encoding |
//	     topic | user_event | metadata | payload
func appendUserBroadcast(dst []byte, m *tutti.Message) (out []byte, ok bool) {
	prefix := m.Topic.Prefix()
	topic := len(prefix) + len(m.Topic.Name)
	if max(topic, len(m.Event), len(m.Meta)) > maxField {
		return dst, false
	}
	enc := EncodingJSON
	if m.Form == tutti.Binary {
		enc = EncodingBinary
	}
	dst = append(dst, kindUserBroadcast,
		byte(topic), byte(len(m.Event)), byte(len(m.Meta)), byte(enc))
	dst = append(dst, prefix...)
	dst = append(dst, m.Topic.Name...)
	dst = append(dst, m.Event...)
	dst = append(dst, m.Meta...)
	return append(dst, m.Payload...), true
}

// appendWrapped appends m as V1 clients get it: a broadcast whose payload names
// the user's event and holds the user's payload.
func appendWrapped(dst []byte, m *tutti.Message) []byte {
	dst = appendHead(dst, V1, &head{
		prefix: m.Topic.Prefix(),
		topic:  m.Topic.Name,
		event:  EventBroadcast,
	})
	dst = AppendBroadcast(dst, m)
	return appendTail(dst, V1, nil)
}

// AppendBroadcast appends a user's broadcast in JSON as one object, which is what
// the event EventBroadcast carries: for clients and messages that no binary
// frame suits.
func AppendBroadcast(dst []byte, m *tutti.Message) []byte {
	dst = append(dst, `{"event":`...)
	dst = AppendString(dst, m.Event)
	dst = append(dst, `,"payload":`...)
	dst = appendPayload(dst, m.Payload)
	dst = append(dst, `,"type":"broadcast"`...)
	if len(m.Meta) > 0 {
		dst = append(dst, `,"meta":`...)
		dst = append(dst, m.Meta...)
	}
	return append(dst, '}')
}

func decodeUserBroadcast(data []byte) (ServerFrame, error) {
	switch {
	case len(data) == 0 || data[0] != kindUserBroadcast:
		return ServerFrame{}, unknown("binary frame that is not a user broadcast")
	case len(data) < userBroadcastHeader:
		return ServerFrame{}, unknown("user broadcast without its header")
	}
	var topic, event, meta []byte
	payload, err := cut(data[userBroadcastHeader:], data[1:userBroadcastHeader-1],
		&topic, &event, &meta)
	switch {
	case err != nil:
		return ServerFrame{}, err
	case len(meta) > 0 && !Object(meta):
		return ServerFrame{}, malformed("metadata is not a JSON object")
	}
	return ServerFrame{
		Kind:      UserBroadcast,
		Topic:     topic,
		Event:     EventBroadcast,
		UserEvent: string(event),
		Meta:      meta,
		Payload:   payload,
		Encoding:  encoding(data[userBroadcastHeader-1]),
	}, nil
}

package phoenix

import "time"

// A Frame is one message from a client.
//
// Topic is bytes, so that a frame of a known event costs no allocation: look up
// m[string(f.Topic)] and keep the key that is found. JoinRef, Ref, Topic and
// Payload alias the buffer that was decoded (unless there were escapes, or a
// binary ref to be quoted): copy what has to outlive it.
type Frame struct {
	Kind    Kind
	JoinRef Ref
	Ref     Ref
	Topic   []byte // as the client wrote it, "realtime:" included; valid UTF-8
	Event   string // "broadcast" if Kind is UserBroadcast
	Payload []byte // Text: raw JSON, valid; else the bytes that came

	At time.Time // when its bytes were read, if whoever did so says

	// For Kind UserBroadcast only. With EncodingJSON the Payload is valid JSON.
	UserEvent string
	Encoding  Encoding
}

// Decode reads one WebSocket message from a client; text is its opcode, which
// counts in V2 only. Every error is a *MalformedError.
func Decode(v Version, text bool, data []byte) (Frame, error) {
	if v == V2 && !text {
		return decodeBinary(data)
	}
	m, err := decodeText(v, data)
	if err != nil {
		return Frame{}, err
	}
	return Frame{
		Kind:    Text,
		JoinRef: m.joinRef,
		Ref:     m.ref,
		Topic:   unquoted(m.topic),
		Event:   eventName(unquoted(m.event)),
		Payload: m.payload,
	}, nil
}

func decodeBinary(data []byte) (Frame, error) {
	if len(data) == 0 {
		return Frame{}, unknown("empty binary frame")
	}
	switch data[0] {
	case kindPush:
		return decodePush(data)
	case kindUserPush:
		return decodeUserPush(data)
	}
	return Frame{}, unknown("binary frame of a kind that clients do not send")
}

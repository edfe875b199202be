package phoenix

// A ServerFrame is one message from the server, as a client sees it. Its slices
// alias the buffer that was decoded, with the exceptions of Frame. A reply is
// an EventReply whose Payload has the members "status" and "response".
type ServerFrame struct {
	Kind    Kind // Text or UserBroadcast
	JoinRef Ref  // always nil in V1
	Ref     Ref
	Topic   []byte
	Event   string // "broadcast" if Kind is UserBroadcast
	Payload []byte // Text: raw JSON, valid; else the bytes that came, unchecked

	// For Kind UserBroadcast only.
	UserEvent string
	Meta      []byte // a JSON object, or empty
	Encoding  Encoding
}

// DecodeServer reads one WebSocket message from the server. Every error is
// a *MalformedError. Of the binary kinds it knows 4, the only one that our
// server sends.
func DecodeServer(v Version, text bool, data []byte) (ServerFrame, error) {
	if v == V2 && !text {
		return decodeUserBroadcast(data)
	}
	m, err := decodeText(v, data)
	if err != nil {
		return ServerFrame{}, err
	}
	return ServerFrame{
		Kind:    Text,
		JoinRef: m.joinRef,
		Ref:     m.ref,
		Topic:   unquoted(m.topic),
		Event:   eventName(unquoted(m.event)),
		Payload: m.payload,
	}, nil
}

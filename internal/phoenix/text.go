package phoenix

// textMessage is a message of a text frame, in either direction. Its fields
// are raw JSON and alias the frame; topic and event are strings.
type textMessage struct {
	joinRef, ref          Ref
	topic, event, payload []byte
}

func decodeText(v Version, data []byte) (textMessage, error) {
	if v == V1 {
		return decodeObject(data)
	}
	return decodeArray(data)
}

// check makes null refs nil, and refuses what cannot be a message.
func (m textMessage) check() (textMessage, error) {
	switch {
	case m.topic[0] != '"':
		return textMessage{}, malformed("topic is not a string")
	case m.event[0] != '"':
		return textMessage{}, malformed("event is not a string")
	}
	for _, r := range []*Ref{&m.joinRef, &m.ref} {
		if len(*r) == 0 {
			continue // V1 without a join_ref
		}
		switch (*r)[0] {
		case 'n':
			*r = nil
		case '{', '[':
			return textMessage{}, malformed("a ref is an object or array")
		}
		if len(*r) > maxRef {
			return textMessage{}, malformed("a ref is too long")
		}
	}
	return m, nil
}

// A head is what stands before the payload of a message.
type head struct {
	joinRef, ref Ref
	prefix       string // comes before topic, and needs no escaping
	topic, event string
}

// appendHead appends what stands before the payload of a text frame.
func appendHead(dst []byte, v Version, h *head) []byte {
	if v == V1 {
		dst = append(dst, `{"topic":"`...)
	} else {
		dst = append(dst, '[')
		dst = append(appendRef(dst, h.joinRef), ',')
		dst = append(appendRef(dst, h.ref), `,"`...)
	}
	dst = append(dst, h.prefix...)
	dst = appendEscaped(dst, h.topic)
	if v == V1 {
		dst = append(dst, `","event":`...)
		dst = AppendString(dst, h.event)
		return append(dst, `,"payload":`...)
	}
	dst = append(dst, `",`...)
	dst = AppendString(dst, h.event)
	return append(dst, ',')
}

// appendTail appends what stands after the payload of a text frame.
func appendTail(dst []byte, v Version, ref Ref) []byte {
	if v == V1 {
		dst = append(dst, `,"ref":`...)
		return append(appendRef(dst, ref), '}')
	}
	return append(dst, ']')
}

func appendRef(dst []byte, r Ref) []byte {
	if len(r) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, r...)
}

// appendPayload appends raw JSON. An absent one becomes {}, because clients
// fail on null.
func appendPayload(dst, raw []byte) []byte {
	if len(raw) == 0 {
		return append(dst, "{}"...)
	}
	return append(dst, raw...)
}

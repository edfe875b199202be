package phoenix

// decodeObject reads a text frame of V1:
// {"topic":…,"event":…,"payload":…,"ref":…,"join_ref":…}, where join_ref may be
// absent. If a key stands there twice the last one counts.
func decodeObject(data []byte) (textMessage, error) {
	s := scanner{data: data}
	if s.space() != '{' {
		if !s.value(0) || !s.end() {
			return textMessage{}, s.malformed()
		}
		return textMessage{}, unknown("not an object")
	}
	var m textMessage
	ok := s.object(1, func(key, value []byte) bool {
		switch string(unquoted(key)) {
		case "topic":
			m.topic = value
		case "event":
			m.event = value
		case "payload":
			m.payload = value
		case "ref":
			m.ref = value
		case "join_ref":
			m.joinRef = value
		}
		return true
	})
	switch {
	case !ok || !s.end():
		return textMessage{}, s.malformed()
	case m.topic == nil:
		return textMessage{}, malformed(`missing key "topic"`)
	case m.event == nil:
		return textMessage{}, malformed(`missing key "event"`)
	case m.payload == nil:
		return textMessage{}, malformed(`missing key "payload"`)
	case m.ref == nil:
		return textMessage{}, malformed(`missing key "ref"`)
	}
	return m.check()
}

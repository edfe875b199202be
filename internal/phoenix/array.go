package phoenix

// decodeArray reads a text frame of V2: [join_ref, ref, topic, event, payload].
// Elements beyond the fifth are ignored, if they are JSON.
func decodeArray(data []byte) (textMessage, error) {
	s := scanner{data: data}
	if s.space() != '[' {
		if !s.value(0) || !s.end() {
			return textMessage{}, s.malformed()
		}
		return textMessage{}, malformed("not an array")
	}
	var part [5][]byte
	n := 0
	ok := s.array(1, func(value []byte) bool {
		if n < len(part) {
			part[n] = value
		}
		n++
		return true
	})
	switch {
	case !ok || !s.end():
		return textMessage{}, s.malformed()
	case n < len(part):
		return textMessage{}, malformed("an array of less than five elements")
	}
	return textMessage{
		joinRef: part[0],
		ref:     part[1],
		topic:   part[2],
		event:   part[3],
		payload: part[4],
	}.check()
}

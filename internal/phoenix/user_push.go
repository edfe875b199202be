package phoenix

// userPushHeader is the size of the kind, the five lengths and the encoding of
// a user broadcast from a client.
const userPushHeader = 7

// decodeUserPush reads a user broadcast from a client, kind 3:
//
//	03 | join_ref_len | ref_len | topic_len | user_event_len | metadata_len | encoding |
//	     join_ref | ref | topic | user_event | metadata | payload
//
// The metadata must be an object or absent, and is dropped. A JSON payload must
// be JSON: the reference passes anything on, and every receiver fails on it.
func decodeUserPush(data []byte) (Frame, error) {
	if len(data) < userPushHeader {
		return Frame{}, unknown("user broadcast without its header")
	}
	var joinRef, ref, topic, event, meta []byte
	payload, err := cut(data[userPushHeader:], data[1:userPushHeader-1],
		&joinRef, &ref, &topic, &event, &meta)
	switch {
	case err != nil:
		return Frame{}, err
	case len(meta) > 0 && !Object(meta):
		return Frame{}, malformed("metadata is not a JSON object")
	}
	f := Frame{
		Kind:      UserBroadcast,
		Topic:     topic,
		Event:     EventBroadcast,
		UserEvent: string(event),
		Payload:   payload,
		Encoding:  encoding(data[userPushHeader-1]),
	}
	if f.Encoding == EncodingJSON && !Valid(payload) {
		return Frame{}, malformed("payload is not JSON")
	}
	f.JoinRef, f.Ref, err = quoteRefs(joinRef, ref)
	if err != nil {
		return Frame{}, err
	}
	return f, nil
}

// encoding reads the encoding byte: all but 0 mean JSON.
func encoding(b byte) Encoding {
	if b == 0 {
		return EncodingBinary
	}
	return EncodingJSON
}

// AppendUserBroadcast appends f as a V2 client sends it in kind 3, without
// metadata. If a field is longer than 255 bytes ok is false and dst comes back
// as it was.
func AppendUserBroadcast(dst []byte, f *Frame) (out []byte, ok bool) {
	joinRef, ref := plainRef(f.JoinRef), plainRef(f.Ref)
	if max(len(joinRef), len(ref), len(f.Topic), len(f.UserEvent)) > maxField {
		return dst, false
	}
	dst = append(dst, kindUserPush,
		byte(len(joinRef)), byte(len(ref)), byte(len(f.Topic)), byte(len(f.UserEvent)),
		0, byte(f.Encoding))
	dst = append(dst, joinRef...)
	dst = append(dst, ref...)
	dst = append(dst, f.Topic...)
	dst = append(dst, f.UserEvent...)
	return append(dst, f.Payload...), true
}

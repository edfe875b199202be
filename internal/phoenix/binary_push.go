package phoenix

// pushHeader is the size of the kind and the four lengths of a binary push.
const pushHeader = 5

// decodePush reads a binary push, kind 0 from a client:
//
//	00 | join_ref_len | ref_len | topic_len | event_len |
//	     join_ref | ref | topic | event | payload
func decodePush(data []byte) (Frame, error) {
	if len(data) < pushHeader {
		return Frame{}, unknown("binary push without its header")
	}
	var joinRef, ref, topic, event []byte
	payload, err := cut(data[pushHeader:], data[1:pushHeader], &joinRef, &ref, &topic, &event)
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Kind: Push, Topic: topic, Event: eventName(event), Payload: payload}
	f.JoinRef, f.Ref, err = quoteRefs(joinRef, ref)
	if err != nil {
		return Frame{}, err
	}
	return f, nil
}

// AppendBinaryPush appends f as a V2 client sends it in kind 0. If a field is
// longer than 255 bytes ok is false and dst comes back as it was.
func AppendBinaryPush(dst []byte, f *Frame) (out []byte, ok bool) {
	joinRef, ref := plainRef(f.JoinRef), plainRef(f.Ref)
	if max(len(joinRef), len(ref), len(f.Topic), len(f.Event)) > maxField {
		return dst, false
	}
	dst = append(dst, kindPush,
		byte(len(joinRef)), byte(len(ref)), byte(len(f.Topic)), byte(len(f.Event)))
	dst = append(dst, joinRef...)
	dst = append(dst, ref...)
	dst = append(dst, f.Topic...)
	dst = append(dst, f.Event...)
	return append(dst, f.Payload...), true
}

package phoenix

// AppendPush appends a message of the server to one channel as a text frame,
// such as "system" or "presence_state". Its ref is null. Payload is a raw JSON
// object; none means {}.
func AppendPush(dst []byte, v Version, joinRef Ref, topic, event string, payload []byte) []byte {
	dst = appendHead(dst, v, &head{joinRef: joinRef, topic: topic, event: event})
	dst = appendPayload(dst, payload)
	return appendTail(dst, v, nil)
}

// AppendEnd appends the last message of a channel as a text frame: EventClose,
// or EventError if the channel broke. Join ref and ref are both that of the
// join, by which clients tell a stale one from theirs.
func AppendEnd(dst []byte, v Version, joinRef Ref, topic, event string) []byte {
	dst = appendHead(dst, v, &head{joinRef: joinRef, ref: joinRef, topic: topic, event: event})
	dst = appendPayload(dst, nil)
	return appendTail(dst, v, joinRef)
}

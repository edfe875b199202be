package phoenix

// AppendClient appends f as a client sends it in a text frame, whatever its
// Kind is: kind, user event and encoding are not looked at. No payload means
// {}. The load generator and tests are the clients; for the binary forms see
// AppendUserBroadcast and AppendBinaryPush.
func AppendClient(dst []byte, v Version, f *Frame) []byte {
	if v == V1 {
		dst = append(dst, `{"topic":`...)
		dst = appendQuoted(dst, f.Topic)
		dst = append(dst, `,"event":`...)
		dst = AppendString(dst, f.Event)
		dst = append(dst, `,"payload":`...)
		dst = appendPayload(dst, f.Payload)
		dst = append(dst, `,"ref":`...)
		dst = appendRef(dst, f.Ref)
		dst = append(dst, `,"join_ref":`...)
		return append(appendRef(dst, f.JoinRef), '}')
	}
	dst = append(dst, '[')
	dst = append(appendRef(dst, f.JoinRef), ',')
	dst = append(appendRef(dst, f.Ref), ',')
	dst = append(appendQuoted(dst, f.Topic), ',')
	dst = append(AppendString(dst, f.Event), ',')
	return append(appendPayload(dst, f.Payload), ']')
}

package phoenix

// The two statuses of a Reply.
const (
	StatusOK    = "ok"
	StatusError = "error"
)

// A Reply answers one push of a client.
type Reply struct {
	JoinRef  Ref    // of the channel; V1 does not carry it
	Ref      Ref    // of the push
	Topic    string // as the client wrote it
	Status   string // StatusOK or StatusError
	Response []byte // raw JSON; none means {}
}

// AppendReply appends r as a text frame:
// [join_ref,ref,topic,"phx_reply",{"status":…,"response":…}].
func AppendReply(dst []byte, v Version, r Reply) []byte {
	dst = appendHead(dst, v, &head{
		joinRef: r.JoinRef,
		ref:     r.Ref,
		topic:   r.Topic,
		event:   EventReply,
	})
	dst = append(dst, `{"status":`...)
	dst = AppendString(dst, r.Status)
	dst = append(dst, `,"response":`...)
	dst = appendPayload(dst, r.Response)
	dst = append(dst, '}')
	return appendTail(dst, v, r.Ref)
}

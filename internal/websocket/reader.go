package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// A Reader makes messages of the bytes that one connection delivers, in pieces
// of any length. Its zero value, with a Limit, is ready. It holds memory only
// while a message has arrived in part.
type Reader struct {
	Limit    int  // the longest message in bytes, all its fragments together
	Unmasked bool // the peer is a server, whose frames carry no mask

	partial *partial
}

// partial is what has come of a message that is not whole.
type partial struct {
	frame     []byte // the start of a frame
	fragments []byte // the payloads of earlier frames of the message
	opcode    Opcode // of the first of these; Continuation when there is none
}

// Read takes the next bytes and calls each with every message and control
// frame that they complete. Data is unmasked in place, and the payloads alias
// it: they are good until each returns. An error of each ends the reading and
// is returned; any other is a *CloseError, after which the connection must end.
func (r *Reader) Read(data []byte, each func(Opcode, []byte) error) error {
	held := r.partial
	if held != nil && len(held.frame) > 0 {
		held.frame = append(held.frame, data...)
		data = held.frame
	}
	for len(data) > 0 {
		n, err := r.frame(data, each)
		if err != nil {
			r.partial = nil // a connection that is ending holds nothing
			return err
		}
		if n == 0 {
			break
		}
		data = data[n:]
	}
	r.keep(data)
	return nil
}

// keep remembers the start of a frame for the next Read, or gives the memory
// back.
func (r *Reader) keep(rest []byte) {
	if len(rest) == 0 {
		if r.partial != nil {
			r.partial.frame = nil
			if r.partial.opcode == Continuation {
				r.partial = nil
			}
		}
		return
	}
	p := r.held()
	if len(p.frame) == len(rest) {
		return // nothing of it was used: it already stands there
	}
	p.frame = append([]byte(nil), rest...)
}

func (r *Reader) held() *partial {
	if r.partial == nil {
		r.partial = new(partial)
	}
	return r.partial
}

// frame handles the frame at the start of data and returns its length, 0 when
// it is not whole.
func (r *Reader) frame(data []byte, each func(Opcode, []byte) error) (int, error) {
	h, n, err := ParseHeader(data)
	if err != nil || n == 0 {
		return 0, err
	}
	if h.Masked == r.Unmasked {
		return 0, &CloseError{CodeProtocol, "the frame's mask is not as it must be"}
	}
	if err := r.admit(h); err != nil {
		return 0, err
	}
	if len(data) < n+h.Length {
		return 0, nil
	}
	payload := data[n : n+h.Length : n+h.Length]
	if h.Masked {
		Mask(payload, h.Key)
	}
	return n + h.Length, r.payload(h, payload, each)
}

// admit checks a header against what came before it.
func (r *Reader) admit(h Header) error {
	if h.Opcode.Control() {
		return nil
	}
	length, open := h.Length, false
	if r.partial != nil {
		length += len(r.partial.fragments)
		open = r.partial.opcode != Continuation
	}
	switch {
	case open && h.Opcode != Continuation:
		return &CloseError{CodeProtocol, "a new message before the end of the last one"}
	case !open && h.Opcode == Continuation:
		return &CloseError{CodeProtocol, "a continuation of nothing"}
	case length > r.Limit:
		return &CloseError{CodeTooBig, "message is too big"}
	}
	return nil
}

// payload hands on a frame's payload, or adds it to the message it belongs to.
func (r *Reader) payload(h Header, payload []byte, each func(Opcode, []byte) error) error {
	switch {
	case h.Opcode.Control():
		return each(h.Opcode, payload)
	case h.Final && h.Opcode != Continuation:
		return each(h.Opcode, payload)
	case !h.Final:
		p := r.held()
		if h.Opcode != Continuation {
			p.opcode = h.Opcode
		}
		p.fragments = append(p.fragments, payload...)
		return nil
	default:
		p := r.partial
		p.fragments = append(p.fragments, payload...)
		op, whole := p.opcode, p.fragments
		p.opcode, p.fragments = Continuation, nil
		return each(op, whole)
	}
}

// ParseClose reads the payload of a close frame. An empty one has the code
// 1005, which is never sent.
func ParseClose(payload []byte) (code int, reason string, err error) {
	if len(payload) == 0 {
		return codeNoStatus, "", nil
	}
	if len(payload) == 1 {
		return 0, "", &CloseError{CodeProtocol, "half a close code"}
	}
	code = int(binary.BigEndian.Uint16(payload))
	if !sendable(code) {
		return 0, "", &CloseError{CodeProtocol, "not a close code"}
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", &CloseError{codeBadText, "close reason is not UTF-8"}
	}
	return code, string(payload[2:]), nil
}

// sendable reports whether a close code may stand on the wire. RFC 6455,
// section 7.4, and the registry that it opened.
func sendable(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != codeNoStatus && code != 1006
	}
	return false
}

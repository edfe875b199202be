package phoenix

import (
	"slices"
	"unicode/utf8"
)

// cut takes the fields of a binary frame, whose lengths are one byte each, out
// of body and into the given places, in order. It returns what is left over.
func cut(body, lengths []byte, into ...*[]byte) (rest []byte, err error) {
	for i, f := range into {
		n := int(lengths[i])
		if len(body) < n {
			return nil, unknown("binary frame shorter than it says")
		}
		*f, body = body[:n:n], body[n:]
		if !utf8.Valid(*f) {
			return nil, malformed("a field is not UTF-8")
		}
	}
	return body, nil
}

// quoteRefs makes JSON strings of the two refs of a binary frame; an empty one
// is null. Both share one buffer.
func quoteRefs(joinRef, ref []byte) (j, r Ref, err error) {
	if len(joinRef)+len(ref) == 0 {
		return nil, nil, nil
	}
	buf := make([]byte, 0, len(joinRef)+len(ref)+4)
	if len(joinRef) > 0 {
		buf = appendQuoted(buf, joinRef)
		j = Ref(slices.Clip(buf))
	}
	if len(ref) > 0 {
		start := len(buf)
		buf = appendQuoted(buf, ref)
		r = Ref(buf[start:len(buf):len(buf)])
	}
	if len(j) > maxRef || len(r) > maxRef {
		return nil, nil, malformed("a ref is too long")
	}
	return j, r, nil
}

// plainRef returns a ref as a binary frame carries it: the content of a string,
// the text of anything else, nothing for null.
func plainRef(r Ref) []byte {
	if len(r) >= 2 && r[0] == '"' {
		return unquoted(r)
	}
	return r
}

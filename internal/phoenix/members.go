package phoenix

import "iter"

// Members returns the members of a raw JSON object in their order: the key
// decoded, the value raw and without whitespace around it, aliasing obj. A key
// that stands there twice comes twice. Obj should be valid, as every
// Frame.Payload of a text frame is; of anything else come the members that
// stand before the fault.
func Members(obj []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		s := scanner{data: obj}
		if s.space() == '{' {
			s.object(1, func(key, value []byte) bool {
				return yield(string(unquoted(key)), value)
			})
		}
	}
}

// Elements returns the elements of a raw JSON array; what is said of the
// values of Members is true of them.
func Elements(arr []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := scanner{data: arr}
		if s.space() == '[' {
			s.array(1, yield)
		}
	}
}

// Lookup returns the raw value of a key in a raw JSON object, aliasing obj, and
// whether it is there. If the key stands there twice the last one counts. For
// obj see Members. It does not allocate unless a key has escapes in it.
func Lookup(obj []byte, key string) (raw []byte, ok bool) {
	s := scanner{data: obj}
	if s.space() != '{' {
		return nil, false
	}
	s.object(1, func(k, value []byte) bool {
		if string(unquoted(k)) == key {
			raw, ok = value, true
		}
		return true
	})
	return raw, ok
}

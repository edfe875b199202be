package wal

import (
	"bytes"

	"github.com/tutti-realtime/tutti"
)

// maxDimensions is how deep PostgreSQL's arrays nest.
const maxDimensions = 6

// An array says what is in one.
type array struct {
	of    *tutti.Column // what is known of its elements, which are no arrays
	delim byte
}

// append appends PostgreSQL's text of an array, such as {1,NULL,"a,b"}, as JSON.
// It reports false when the text is of another form; dst's own bytes are as they
// were, then.
func (a array) append(dst, text []byte) ([]byte, bool) {
	if a.delim == ' ' {
		return a.vector(dst, text), true
	}
	if bounds := bytes.IndexByte(text, '='); len(text) > 0 && text[0] == '[' && bounds > 0 {
		text = text[bounds+1:] // where the indices begin, which JSON cannot say
	}
	dst, rest, ok := a.level(dst, text, 1)
	return dst, ok && len(rest) == 0
}

// vector appends an int2vector or oidvector: elements with a space between them.
func (a array) vector(dst, text []byte) []byte {
	dst = append(dst, '[')
	for i, element := range bytes.Fields(text) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendScalar(dst, a.of.Base, element)
	}
	return append(dst, ']')
}

// level appends what stands between one pair of braces, and returns what is
// behind it.
func (a array) level(dst, text []byte, depth int) (out, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '{' || depth > maxDimensions {
		return dst, text, false
	}
	dst, text = append(dst, '['), text[1:]
	if len(text) > 0 && text[0] == '}' {
		return append(dst, ']'), text[1:], true
	}
	for {
		if len(text) > 0 && text[0] == '{' {
			dst, text, ok = a.level(dst, text, depth+1)
		} else {
			dst, text, ok = a.element(dst, text)
		}
		if !ok || len(text) == 0 {
			return dst, text, false
		}
		switch text[0] {
		case a.delim:
			dst = append(dst, ',')
		case '}':
			return append(dst, ']'), text[1:], true
		default:
			return dst, text, false
		}
		text = text[1:]
	}
}

// element appends one element.
func (a array) element(dst, text []byte) (out, rest []byte, ok bool) {
	if len(text) > 0 && text[0] == '"' {
		value, rest, ok := unquote(text[1:])
		if !ok {
			return dst, text, false
		}
		return appendElement(dst, a.of, value), rest, true
	}
	end := 0
	for end < len(text) && text[end] != a.delim && text[end] != '}' {
		end++
	}
	switch value := text[:end]; string(value) {
	case "":
		return dst, text, false
	case "NULL":
		return append(dst, "null"...), text[end:], true
	default:
		return appendElement(dst, a.of, value), text[end:], true
	}
}

// appendElement appends a value that is no array.
func appendElement(dst []byte, c *tutti.Column, text []byte) []byte {
	if c.Fields == nil {
		return appendScalar(dst, c.Base, text)
	}
	return appendRecord(dst, c.Fields, text)
}

// unquote returns what stands before the closing quote, without backslashes, and
// what is behind it.
func unquote(text []byte) (value, rest []byte, ok bool) {
	escaped := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if !escaped {
				return text[:i], text[i+1:], true
			}
			return unescape(text[:i]), text[i+1:], true
		}
	}
	return nil, nil, false
}

func unescape(text []byte) []byte {
	value := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		value = append(value, text[i])
	}
	return value
}

package wal

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/tutti-realtime/tutti"
)

// OIDs of the types that are not written as strings of their text.
const (
	boolOID        = 16
	byteaOID       = 17
	int8OID        = 20
	int2OID        = 21
	int4OID        = 23
	jsonOID        = 114
	float4OID      = 700
	float8OID      = 701
	timestampOID   = 1114
	timestamptzOID = 1184
	numericOID     = 1700
	jsonbOID       = 3802
)

// AppendJSON appends the value of a column as clients get it (database.md §3.6):
// numbers, booleans and JSON as they are, arrays as arrays, composites as objects,
// everything else as a string. Numbers are never converted, so that no digit is lost; NaN and the
// infinities, which JSON has not, are strings. The value must be of kind Null or
// Text; the others have no JSON, and the caller leaves the key out.
func AppendJSON(dst []byte, c *tutti.Column, v tutti.Value) []byte {
	if v.Kind != tutti.Text {
		return append(dst, "null"...)
	}
	if hex, ok := bytes.CutPrefix(v.Text, []byte(`\x`)); ok && c.Base == byteaOID && c.Delim == 0 {
		return appendString(dst, hex)
	}
	return appendValue(dst, c, v.Text)
}

// appendValue appends a value that is not null, wherever it stands.
func appendValue(dst []byte, c *tutti.Column, text []byte) []byte {
	if c.Delim == 0 {
		return appendElement(dst, c, text)
	}
	a := array{of: c, delim: c.Delim}
	if out, ok := a.append(dst, text); ok {
		return out
	}
	return appendString(dst, text)
}

// appendScalar appends a value that is neither an array nor a composite. Within
// these a bytea keeps its \x, as in the reference.
func appendScalar(dst []byte, base uint32, text []byte) []byte {
	switch base {
	case boolOID:
		switch string(text) {
		case "t":
			return append(dst, "true"...)
		case "f":
			return append(dst, "false"...)
		}
	case int2OID, int4OID, int8OID, float4OID, float8OID, numericOID:
		if isNumber(text) {
			return append(dst, text...)
		}
	case jsonOID, jsonbOID:
		if utf8.Valid(text) {
			return append(dst, text...)
		}
		return append(dst, bytes.ToValidUTF8(text, []byte("\uFFFD"))...)
	case timestampOID:
		return appendTime(dst, text, false)
	case timestamptzOID:
		return appendTime(dst, text, true)
	}
	return appendString(dst, text)
}

// isNumber reports whether JSON has text as a number, as it is.
func isNumber(text []byte) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(text) && '0' <= text[i] && text[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(text) && text[i] == '-' {
		i++
	}
	zero := i < len(text) && text[i] == '0'
	from := i
	if !digits() || zero && i > from+1 {
		return false
	}
	if i < len(text) && text[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(text)
}

// appendTime appends a timestamp in the form of ISO 8601: a T between date and
// time, and minutes in the offset of a zone.
func appendTime(dst, text []byte, zone bool) []byte {
	date, clock, ok := bytes.Cut(text, []byte(" "))
	if !ok { // infinity
		return appendString(dst, text)
	}
	dst = appendEscaped(append(dst, '"'), date)
	dst = append(dst, 'T')
	clock, era, bc := bytes.Cut(clock, []byte(" "))
	dst = appendEscaped(dst, clock)
	if i := bytes.LastIndexAny(clock, "+-"); zone && i >= 0 && len(clock) == i+3 {
		dst = append(dst, ":00"...)
	}
	if bc {
		dst = appendEscaped(append(dst, ' '), era)
	}
	return append(dst, '"')
}

// appendString appends text as a JSON string. What is not UTF-8, which only a
// database of encoding SQL_ASCII has, becomes U+FFFD.
func appendString(dst, text []byte) []byte {
	dst = slices.Grow(dst, len(text)+2)
	return append(appendEscaped(append(dst, '"'), text), '"')
}

func appendEscaped(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	done := 0 // before which all is appended
	for i := 0; i < len(text); {
		b := text[i]
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, text[done:i]...), "\uFFFD"...)
				done = i + 1
			}
			i += size
			continue
		}
		if b >= ' ' && b != '"' && b != '\\' {
			i++
			continue
		}
		dst = append(dst, text[done:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		}
		i++
		done = i
	}
	return append(dst, text[done:]...)
}

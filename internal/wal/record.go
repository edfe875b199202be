package wal

import "github.com/tutti-realtime/tutti"

// appendRecord appends PostgreSQL's text of a composite, such as (1,"a b",), as a
// JSON object. A text of another form, or of another number of fields, as when
// the type has been altered since, becomes a string.
func appendRecord(dst []byte, fields []tutti.Column, text []byte) []byte {
	n := len(text)
	if n < 2 || text[0] != '(' || text[n-1] != ')' {
		return appendString(dst, text)
	}
	before := len(dst)
	dst = append(dst, '{')
	rest := text[1 : n-1]
	for i := range fields {
		if i > 0 {
			if len(rest) == 0 || rest[0] != ',' {
				return appendString(dst[:before], text)
			}
			dst, rest = append(dst, ','), rest[1:]
		}
		dst = append(appendString(dst, []byte(fields[i].Name)), ':')
		var ok bool
		if dst, rest, ok = appendField(dst, &fields[i], rest); !ok {
			return appendString(dst[:before], text)
		}
	}
	if len(rest) > 0 {
		return appendString(dst[:before], text)
	}
	return append(dst, '}')
}

// appendField appends the field that text begins with, and returns what is behind
// it. Nothing at all is null; an empty string has quotes.
func appendField(dst []byte, c *tutti.Column, text []byte) (out, rest []byte, ok bool) {
	if len(text) == 0 || text[0] == ',' {
		return append(dst, "null"...), text, true
	}
	value, rest, ok := cutField(text)
	if !ok {
		return dst, text, false
	}
	return appendValue(dst, c, value), rest, true
}

// cutField returns the field that text begins with, without quotes, and what is
// behind it. Within quotes, "" is a quote.
func cutField(text []byte) (value, rest []byte, ok bool) {
	end := 0
	for end < len(text) && text[end] != ',' && text[end] != '"' && text[end] != '\\' {
		end++
	}
	if end == len(text) || text[end] == ',' {
		return text[:end], text[end:], true // as most are
	}
	value = append(make([]byte, 0, len(text)), text[:end]...)
	quoted := false
	for i := end; i < len(text); i++ {
		switch b := text[i]; {
		case b == '\\':
			if i++; i == len(text) {
				return nil, nil, false
			}
			value = append(value, text[i])
		case b == '"' && quoted && i+1 < len(text) && text[i+1] == '"':
			i++
			value = append(value, '"')
		case b == '"':
			quoted = !quoted
		case b == ',' && !quoted:
			return value, text[i:], true
		default:
			value = append(value, b)
		}
	}
	return value, nil, !quoted
}

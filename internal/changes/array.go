package changes

import "strings"

// An element of an array literal.
type element struct {
	text string
	null bool
}

// parseArray reads a PostgreSQL array literal of one dimension. Nested says
// that it may be one of more dimensions, which is left to PostgreSQL; ok that
// it is neither that nor malformed.
func parseArray(literal string) (elements []element, nested, ok bool) {
	rest, ok := strings.CutPrefix(literal, "{")
	if !ok {
		return nil, false, false
	}
	if strings.TrimLeft(rest, arraySpace) == "}" {
		return nil, false, true
	}
	for {
		var e element
		rest = strings.TrimLeft(rest, arraySpace)
		if strings.HasPrefix(rest, "{") {
			return nil, true, false
		}
		if e, rest, ok = cutElement(rest); !ok {
			return nil, false, false
		}
		elements = append(elements, e)
		if rest == "}" {
			return elements, false, true
		}
		if rest, ok = strings.CutPrefix(rest, ","); !ok {
			return nil, false, false
		}
	}
}

const arraySpace = " \t\n\r\v\f"

// cutElement reads the element at the start of rest, up to the comma or brace
// that ends it.
func cutElement(rest string) (e element, after string, ok bool) {
	if strings.HasPrefix(rest, `"`) {
		return cutQuoted(rest[1:])
	}
	var text strings.Builder
	escaped := false
	kept := 0 // whitespace beyond is at the end of the element, unless text follows
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case ',', '}':
			if kept == 0 {
				return e, "", false
			}
			e.text = text.String()[:kept]
			e.null = !escaped && strings.EqualFold(e.text, "null")
			return e, rest[i:], true
		case '{', '"':
			return e, "", false
		case '\\':
			if i++; i == len(rest) {
				return e, "", false
			}
			text.WriteByte(rest[i])
			escaped, kept = true, text.Len()
		default:
			text.WriteByte(c)
			if !strings.ContainsRune(arraySpace, rune(c)) {
				kept = text.Len()
			}
		}
	}
	return e, "", false
}

// cutQuoted reads an element whose opening quote has been passed.
func cutQuoted(rest string) (e element, after string, ok bool) {
	var text strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '"':
			e.text = text.String()
			after = strings.TrimLeft(rest[i+1:], arraySpace)
			return e, after, strings.HasPrefix(after, ",") || strings.HasPrefix(after, "}")
		case '\\':
			if i++; i == len(rest) {
				return e, "", false
			}
			text.WriteByte(rest[i])
		default:
			text.WriteByte(c)
		}
	}
	return e, "", false
}

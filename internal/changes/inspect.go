package changes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The reference shows values in its error texts as Elixir's inspect does, and
// client code has come to match on them.

// inspectLimit is how many elements of a container are shown, and
// printLimit how many characters of a string.
const (
	inspectLimit = 50
	printLimit   = 4096
)

// appendInspected appends a JSON value, as decodeTerm returns it, in Elixir's
// notation.
func appendInspected(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "nil"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case json.Number:
		return appendInspectedNumber(dst, string(v))
	case string:
		return appendInspectedString(dst, v)
	case []any:
		if text, ok := charlist(v); ok {
			return append(append(dst, "~c"...), appendInspectedString(nil, text)...)
		}
		dst = append(dst, '[')
		for i, element := range v {
			if dst = appendSeparator(dst, i); i == inspectLimit {
				dst = append(dst, "..."...)
				break
			}
			dst = appendInspected(dst, element)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, "%{"...)
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if dst = appendSeparator(dst, i); i == inspectLimit {
				dst = append(dst, "..."...)
				break
			}
			dst = append(appendInspectedString(dst, key), " => "...)
			dst = appendInspected(dst, v[key])
		}
		return append(dst, '}')
	}
	return dst
}

func appendSeparator(dst []byte, i int) []byte {
	if i == 0 {
		return dst
	}
	return append(dst, ", "...)
}

// charlist returns the text of a list that Elixir takes for one: nothing in it
// but the codes of printable ASCII.
func charlist(list []any) (string, bool) {
	var text []byte
	for _, v := range list {
		b, ok := smallByte(v)
		if !ok || b >= utf8.RuneSelf || !printable(rune(b)) {
			return "", false
		}
		text = append(text, byte(b))
	}
	return string(text), len(text) > 0
}

func appendInspectedNumber(dst []byte, text string) []byte {
	if !strings.ContainsAny(text, ".eE") {
		if text == "-0" {
			text = "0"
		}
		return append(dst, text...)
	}
	f, _ := strconv.ParseFloat(text, 64)
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	if short := mantissa + "e" + strconv.Itoa(n); len(short) < len(plain) || math.Abs(f) >= 1<<53 {
		plain = short
	}
	return append(dst, plain...)
}

// printable reports whether Elixir prints a character as it is or by a short
// escape. A string with any other in it is shown as its bytes.
func printable(r rune) bool {
	switch {
	case r >= '\a' && r <= '\r', r == '\x1b', r == '\x7f', r >= ' ' && r <= '~':
		return true
	}
	return r >= 0xA0 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}

func appendInspectedString(dst []byte, s string) []byte {
	for i, r := range s {
		if _, size := utf8.DecodeRuneInString(s[i:]); !printable(r) || r == utf8.RuneError && size == 1 {
			return appendBytes(dst, s)
		}
	}
	dst = append(dst, '"')
	n := 0
	for i, r := range s {
		if n++; n > printLimit {
			return append(dst, `" <> ...`...)
		}
		switch short := strings.IndexRune("\a\b\t\n\v\f\r\x1b\x7f", r); {
		case short >= 0:
			dst = append(dst, '\\', "abtnvfred"[short])
		case r == '"' || r == '\\' || r == '#' && strings.HasPrefix(s[i+1:], "{"):
			dst = append(dst, '\\', byte(r))
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

func appendBytes(dst []byte, s string) []byte {
	dst = append(dst, "<<"...)
	for i := range len(s) {
		if dst = appendSeparator(dst, i); i == inspectLimit {
			dst = append(dst, "..."...)
			break
		}
		dst = strconv.AppendUint(dst, uint64(s[i]), 10)
	}
	return append(dst, ">>"...)
}

// inspectedStrings returns a list of strings in Elixir's notation.
func inspectedStrings(list ...string) string {
	dst := []byte{'['}
	for i, s := range list {
		if dst = appendSeparator(dst, i); i == inspectLimit {
			dst = append(dst, "..."...)
			break
		}
		dst = appendInspectedString(dst, s)
	}
	return string(append(dst, ']'))
}

// parameters returns what a refusal says that the subscription was.
func (s *Subscription) parameters() string {
	filters := []byte{'['}
	for i, f := range s.Filters {
		if filters = appendSeparator(filters, i); i == inspectLimit {
			filters = append(filters, "..."...)
			break
		}
		filters = f.appendInspected(filters)
	}
	columns := "nil"
	if s.Select != nil {
		columns = inspectedStrings(s.Select...)
	}
	return fmt.Sprintf("event: %s, schema: %s, table: %s, filters: %s], select: %s",
		cmp.Or(s.Event.String(), Any), s.Schema, s.Table, filters, columns)
}

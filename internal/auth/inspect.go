package auth

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// longestShown is the length in bytes from which the reference no longer shows
// the rest of a string.
const longestShown = 4096

// inspect writes a JSON value in the notation of the reference, which stands in
// a few of its messages. Numbers stay as they stood in the token.
func inspect(value json.RawMessage) string {
	v, err := decodeValue(value)
	if err != nil {
		return "nil"
	}
	return string(appendValue(nil, v))
}

func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "nil"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case json.Number:
		return append(dst, v...)
	case string:
		return append(dst, inspectString(v)...)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendValue(dst, e)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, "%{"...)
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(append(dst, inspectString(name)...), " => "...)
			dst = appendValue(dst, v[name])
		}
		return append(dst, '}')
	}
	return dst
}

// escapes are those that the reference writes otherwise than Go. The first pair
// keeps an escaped backslash from being taken for the start of an escape.
var escapes = strings.NewReplacer(
	`\\`, `\\`, `\x00`, `\0`, `\x1b`, `\e`, `\x7f`, `\d`, `#{`, `\#{`,
)

func inspectString(s string) string {
	if len(s) <= longestShown {
		return escapes.Replace(strconv.Quote(s))
	}
	head := strings.ToValidUTF8(s[:longestShown], "") // the cut may be inside a letter
	return escapes.Replace(strconv.Quote(head)) + " <> ..."
}

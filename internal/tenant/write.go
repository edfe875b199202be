package tenant

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A variable is text of a tenants file that names a variable, "env:NAME".
type variable string

// The texts that need no quotes, and the words among them that YAML would take
// for something else.
var (
	plainText = regexp.MustCompile(`^(env:)?[A-Za-z_][A-Za-z0-9_./-]*$`)
	yamlWords = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"}
)

// appendFlow writes a value of a tree in one line, as JSON: the file may be one.
func appendFlow(dst []byte, v any) []byte {
	switch v := v.(type) {
	case float64:
		return append(dst, number(v)...)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendFlow(dst, item)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for i, name := range ordered(v) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(append(dst, quoted(name)...), ": "...)
			dst = appendFlow(dst, v[name])
		}
		return append(dst, '}')
	}
	return append(dst, quoted(v)...)
}

// appendField writes a field of a mapping in lines of its own. Mappings and
// lists of mappings take a line for each of their values.
func appendField(dst []byte, indent int, name string, v any) []byte {
	dst = append(dst, strings.Repeat(" ", indent)...)
	dst = append(append(dst, scalar(name)...), ':')
	list, isList := v.([]any)
	mapping, isMapping := v.(map[string]any)
	switch {
	case name == "settings" && isMapping && len(mapping) > 0:
		dst = append(dst, '\n')
		for _, name := range ordered(mapping) {
			dst = appendField(dst, indent+2, name, mapping[name])
		}
		return dst
	case name == "extensions" && isList && len(list) > 0:
		dst = append(dst, '\n')
		for _, item := range list {
			dst = appendItem(dst, indent+2, item)
		}
		return dst
	}
	dst = append(dst, ' ')
	switch v := v.(type) {
	case variable:
		dst = append(dst, scalar(string(v))...)
	case string:
		dst = append(dst, scalar(v)...)
	default:
		dst = appendFlow(dst, v)
	}
	return append(dst, '\n')
}

// appendItem writes an item of a list, a mapping by its fields.
func appendItem(dst []byte, indent int, v any) []byte {
	from := len(dst)
	mapping, ok := v.(map[string]any)
	if !ok || len(mapping) == 0 {
		dst = append(append(dst, strings.Repeat(" ", indent)...), "- "...)
		return append(appendFlow(dst, v), '\n')
	}
	for _, name := range ordered(mapping) {
		dst = appendField(dst, indent+2, name, mapping[name])
	}
	dst[from+indent] = '-'
	return dst
}

// ordered returns the names of a mapping: those of a tenant in their order,
// the type of an extension and its settings first, others by the alphabet.
func ordered(mapping map[string]any) []string {
	rank := func(name string) int {
		if name == "type" {
			return -2
		}
		return slices.Index(fieldOrder[:], name)
	}
	return slices.SortedFunc(maps.Keys(mapping), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// scalar writes a text, without quotes where it needs none.
func scalar(s string) string {
	if plainText.MatchString(s) && !slices.Contains(yamlWords, strings.ToLower(s)) {
		return s
	}
	return quoted(s)
}

// quoted writes a value as JSON, which is YAML as well.
func quoted(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return "null" // cannot be: a tree came from JSON
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// number writes a whole number without an exponent, as people do.
func number(f float64) string {
	const exact = 1 << 53
	if f == float64(int64(f)) && f < exact && f > -exact {
		return strconv.FormatInt(int64(f), 10)
	}
	return quoted(f)
}

package tenant

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// A value is one value in a tenants file: its node, and how it is called in a
// fault. Methods that cannot make sense of it note a fault and return a zero.
type value struct {
	r     *reader
	node  ast.Node // nil for null; never an anchor, an alias or a tag
	place ast.Node // where it stands, which for an alias is not where node does
	field string

	broken bool // it has no node because of a fault that has been noted
}

// fields says who reads each field of a mapping.
type fields map[string]func(value)

// in returns the value under the name of something that is missing in it.
func (v value) in(name string) value {
	if v.field != "" {
		name = v.field + "." + name
	}
	v.field = name
	return v
}

// mapping hands each field of a mapping to its reader, and returns the names of
// those that were there and not null; nil when it is no mapping.
func (v value) mapping(known fields) map[string]bool {
	if _, ok := v.node.(*ast.MappingNode); !ok {
		v.fault("must be a mapping of names to values, got %s", v.describe())
		return nil
	}
	given := make(map[string]bool)
	for name, field := range v.pairs() {
		read := known[name]
		switch {
		case read != nil:
			if field.node != nil {
				read(field)
			}
			given[name] = field.node != nil || field.broken
		case v.field == "" && strings.HasPrefix(name, "x-"):
		default:
			field.fault("unknown field%s", suggestion(name, known))
		}
	}
	return given
}

// suggestion is a hint at the known name that a misspelt one resembles, or "".
func suggestion(name string, known fields) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	for _, candidate := range slices.Sorted(maps.Keys(known)) {
		if near(plain(name), plain(candidate)) {
			return ", did you mean " + candidate + "?"
		}
	}
	return ""
}

// near reports whether two names differ in one letter more, less or other.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return a == b || a[i+1:] == b[i+1:]
	}
	return len(a)+1 == len(b) && a[i:] == b[i+1:]
}

// list hands each item of a list to read. Null is a list of nothing.
func (v value) list(read func(value)) {
	if v.node == nil {
		return
	}
	items, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.fault("must be a list, got %s", v.describe())
		return
	}
	for i, item := range items.Values {
		read(v.r.at(item, v.field+"["+strconv.Itoa(i)+"]"))
	}
}

// text reads text. A number or a truth value is the text that it is written
// with, for who would quote a password of digits?
func (v value) text() (s string, ok bool) {
	if v.broken {
		return "", false
	}
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	v.fault("must be text, got %s", v.describe())
	return "", false
}

// inVariable begins a text that is kept in a variable, whose name follows.
const inVariable = "env:"

// secret reads text that may be kept in a variable.
func (v value) secret() (s string, ok bool) {
	s, ok = v.text()
	name, kept := strings.CutPrefix(s, inVariable)
	if !kept {
		return s, ok
	}
	if v.r.kept != nil {
		v.r.kept[v.field] = s
	}
	if s = v.r.getenv(name); s == "" {
		v.fault("variable %s is not set", name)
		return "", false
	}
	return s, true
}

// filled notes a fault of text that is there and empty.
func (v value) filled(s string, ok bool) string {
	if ok && s == "" {
		v.fault("must not be empty")
	}
	return s
}

// digits returns how a number is written, "" for what is no whole number.
func (v value) digits() string {
	if n, ok := v.node.(*ast.IntegerNode); ok {
		return n.GetToken().Value
	}
	return ""
}

// flags reads names that are true or false.
func (v value) flags() map[string]bool {
	if _, ok := v.node.(*ast.MappingNode); !ok {
		v.fault("must be a mapping of names to true or false, got %s", v.describe())
		return nil
	}
	flags := make(map[string]bool)
	for name, field := range v.pairs() {
		var on bool
		truth(&on)(field)
		flags[name] = on
	}
	return flags
}

// settings reads the settings of an extension. One that is null is missing.
func (v value) settings() map[string]any {
	if _, ok := v.node.(*ast.MappingNode); !ok {
		v.fault("must be a mapping of names to values, got %s", v.describe())
		return nil
	}
	settings := make(map[string]any)
	for name, field := range v.pairs() {
		switch {
		case field.node == nil && !field.broken:
		case slices.Contains(databaseSettings[:], name):
			settings[name] = field.filled(field.secret())
		default:
			settings[name] = field.any()
		}
	}
	return settings
}

// any reads what encoding/json would make of the same, with secrets filled in.
func (v value) any() any {
	switch n := v.node.(type) {
	case nil:
		return nil
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		f, err := strconv.ParseFloat(n.GetToken().Value, 64)
		if err != nil {
			v.fault("must be a decimal number, got %s", v.describe())
		}
		return f
	case *ast.StringNode, *ast.LiteralNode:
		s, _ := v.secret()
		return s
	case *ast.SequenceNode:
		list := make([]any, 0, len(n.Values))
		v.list(func(item value) { list = append(list, item.any()) })
		return list
	case *ast.MappingNode:
		mapping := make(map[string]any)
		for name, field := range v.pairs() {
			mapping[name] = field.any()
		}
		return mapping
	}
	v.fault("must be a value that JSON knows, got %s", v.describe())
	return nil
}

// keySet reads a JSON Web Key Set, written as a mapping or as JSON in text.
func (v value) keySet() json.RawMessage {
	raw, ok := v.jsonText()
	if !ok {
		return nil
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(raw, &set) != nil || set.Keys == nil {
		v.fault(`must be a JSON Web Key Set, {"keys": [...]}`)
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		v.fault("must be JSON: %v", err)
		return nil
	}
	return compact.Bytes()
}

// jsonText returns a mapping as JSON, and text as it is.
func (v value) jsonText() (raw []byte, ok bool) {
	if _, ok := v.node.(*ast.MappingNode); !ok {
		s, ok := v.secret()
		return []byte(s), ok
	}
	raw, err := json.Marshal(v.any())
	if err != nil {
		v.fault("must be JSON: %v", err)
	}
	return raw, err == nil
}

// describe says what stands there, for faults of values that are not secret.
func (v value) describe() string {
	switch n := v.node.(type) {
	case nil:
		return "nothing"
	case *ast.MappingNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode:
		return quote(n.Value)
	case *ast.LiteralNode:
		return quote(n.Value.Value)
	default:
		return n.GetToken().Value
	}
}

// quote quotes a text for a fault, and spares the reader a long one.
func quote(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "..."
	}
	return strconv.Quote(s)
}

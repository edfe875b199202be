package changes

import (
	"slices"
	"strconv"
	"strings"
)

// An Op is an operator of a filter.
type Op string

// The operators. Database, section 3.2.
const (
	Eq         Op = "eq"
	Neq        Op = "neq"
	Lt         Op = "lt"
	Lte        Op = "lte"
	Gt         Op = "gt"
	Gte        Op = "gte"
	In         Op = "in"
	Like       Op = "like"
	ILike      Op = "ilike"
	Is         Op = "is"
	Match      Op = "match"
	IMatch     Op = "imatch"
	IsDistinct Op = "isdistinct"
)

// ops is the operators in PostgreSQL's order of them, by which filters are
// sorted.
func ops() []Op {
	return []Op{Eq, Neq, Lt, Lte, Gt, Gte, In, Like, ILike, Is, Match, IMatch, IsDistinct}
}

// A Filter is one condition on a row.
type Filter struct {
	Column string
	Op     Op
	Value  string // of In: the literal of an array, such as {1,2}
	Negate bool
}

const filterError = "Error parsing `filter` params: "

// ParseFilters reads conditions that are all to hold:
//
//	filter  = segment *("," segment)     or blank: no condition
//	segment = column "=" ["not."] op "." value
//	value   = "(" items ")" for in, else a quoted or a raw text
//
// The error is as Parse's. Database, section 3.2.
func ParseFilters(text string) ([]Filter, error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	var filters []Filter
	for more := true; more; {
		var segment string
		segment, text, more = cutSegment(text)
		f, fault := parseSegment(strings.TrimSpace(segment))
		if fault != "" {
			return nil, refusal(filterError + fault)
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// cutSegment returns what stands before the first comma that is outside of
// parentheses and quotes, what stands behind it, and whether there is one. A
// quote opens only where a value may begin, so that `5"` needs no care.
func cutSegment(text string) (segment, rest string, more bool) {
	depth, quoted := 0, false
	var before byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\' && i+1 < len(text):
			i++
			c = text[i]
		case quoted:
			quoted = c != '"'
		case c == '"':
			quoted = before == '.' || before == '(' || before == ','
		case c == '(':
			depth++
		case c == ')':
			depth = max(0, depth-1)
		case c == ',' && depth == 0:
			return text[:i], text[i+1:], true
		}
		before = c
	}
	return text, "", false
}

// parseSegment reads a segment, or says what is wrong with it.
func parseSegment(segment string) (f Filter, fault string) {
	if segment == "" {
		return f, "filter must not contain empty segments (check for extra commas)"
	}
	column, condition, ok := strings.Cut(segment, "=")
	if !ok {
		return f, inspectedStrings(segment)
	}
	f.Column = column
	condition, f.Negate = strings.CutPrefix(condition, "not.")
	op, value, ok := strings.Cut(condition, ".")
	if !ok {
		return f, inspectedStrings(condition)
	}
	if f.Op = Op(op); !slices.Contains(ops(), f.Op) {
		return f, inspectedStrings(op, value)
	}
	if f.Op != In {
		f.Value = unquoteValue(value)
		return f, ""
	}
	if len(value) < 2 || value[0] != '(' || value[len(value)-1] != ')' {
		return f, "`in` filter value must be wrapped by parentheses"
	}
	f.Value = "{" + value[1:len(value)-1] + "}"
	return f, ""
}

// unquoteValue returns the content of a quoted text. What is not quoted, or has
// text behind the closing quote, stands for itself.
func unquoteValue(value string) string {
	if !strings.HasPrefix(value, `"`) {
		return value
	}
	var content strings.Builder
	for i := 1; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			if i+1 < len(value) {
				return value
			}
			return content.String()
		case c == '\\' && i+1 < len(value):
			i++
			content.WriteByte(value[i])
		default:
			content.WriteByte(c)
		}
	}
	return value
}

// appendInspected appends the filter as error texts show it: a tuple.
func (f Filter) appendInspected(dst []byte) []byte {
	dst = append(dst, '{')
	dst = append(appendInspectedString(dst, f.Column), ", "...)
	dst = append(appendInspectedString(dst, string(f.Op)), ", "...)
	dst = append(appendInspectedString(dst, f.Value), ", "...)
	return append(strconv.AppendBool(dst, f.Negate), '}')
}

// compare puts filters in the order of the reference, in which equal sets of
// them are equal.
func (f Filter) compare(g Filter) int {
	if c := strings.Compare(f.Column, g.Column); c != 0 {
		return c
	}
	if c := slices.Index(ops(), f.Op) - slices.Index(ops(), g.Op); c != 0 {
		return c
	}
	if c := strings.Compare(f.Value, g.Value); c != 0 {
		return c
	}
	switch {
	case f.Negate == g.Negate:
		return 0
	case g.Negate:
		return -1
	}
	return 1
}

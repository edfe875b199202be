package changes

import (
	"regexp"
	"strings"
)

// maxValues is how many elements an in filter may have.
const maxValues = 100

// A condition is a filter bound to a column.
type condition struct {
	filter  Filter
	kind    kind
	column  Column
	ask     bool    // PostgreSQL must evaluate it, unless the value is null
	values  []datum // of comparisons one, of In those that are not null
	null    bool    // In: there is a null among the elements
	empty   bool    // In: there are no elements
	like    *likePattern
	pattern *regexp.Regexp
}

// compile binds a filter to a column, or says what PostgreSQL would.
func compile(f Filter, column *Column) (condition, *fault) {
	c := condition{filter: f, kind: kindOf(column), column: *column}
	if strings.IndexByte(f.Value, 0) >= 0 {
		return c, &fault{"22021", `invalid byte sequence for encoding "UTF8": 0x00`}
	}
	switch f.Op {
	case In:
		return c, c.compileIn()
	case Like, ILike:
		return c, c.compileLike()
	case Match, IMatch:
		return c, c.compileMatch()
	case Is:
		return c, c.compileIs()
	}
	return c, c.compileComparison()
}

// comparable says what is wrong with comparing values of the type at all. The
// reference accepts such filters and fails with every row from then on.
func (c *condition) comparable(operator string) *fault {
	if c.column.Type != oidJSON {
		return nil
	}
	return &fault{"42883", "operator does not exist: json " + operator + " json"}
}

func (c *condition) compileComparison() *fault {
	operators := map[Op]string{Eq: "=", Neq: "<>", Lt: "<", Lte: "<=", Gt: ">", Gte: ">=", IsDistinct: "="}
	if f := c.comparable(operators[c.filter.Op]); f != nil {
		return f
	}
	ordered := strings.HasPrefix(string(c.filter.Op), "l") || strings.HasPrefix(string(c.filter.Op), "g")
	if ordered && c.kind.isText() && c.column.Collation != ByteOrder {
		c.ask = true
		return nil
	}
	d, known, f := c.kind.read([]byte(c.filter.Value))
	c.values, c.ask = []datum{d}, !known
	return f
}

func (c *condition) compileIn() *fault {
	if f := c.comparable("="); f != nil {
		return f
	}
	elements, nested, ok := parseArray(c.filter.Value)
	switch {
	case nested:
		c.ask = true
		return nil
	case !ok:
		return &fault{"22P02", "malformed array literal: " + quoted([]byte(c.filter.Value))}
	}
	c.empty = len(elements) == 0
	for _, e := range elements {
		if e.null {
			c.null = true
			continue
		}
		d, known, f := c.kind.read([]byte(e.text))
		if f != nil && !c.ask { // else the element before it may be refused first
			return f
		}
		c.ask = c.ask || !known
		c.values = append(c.values, d)
	}
	if len(elements) > maxValues {
		return raised("too many values for `in` filter. Maximum 100")
	}
	return nil
}

func (c *condition) compileIs() *fault {
	switch c.filter.Value {
	case "null":
		// A composite of nulls is null too.
		c.ask = c.column.Category == 'C' || c.column.Category == 'P'
		return nil
	case "true", "false", "unknown":
		if c.column.Type != oidBool {
			return raised("is " + c.filter.Value + " filter requires a boolean column, got " + c.column.SQLName)
		}
		return nil
	}
	return raised("invalid value for is filter: must be null, true, false, or unknown")
}

// textual says what is wrong with matching patterns on values of the type.
func (c *condition) textual() *fault {
	if c.column.Category == 'S' || c.column.Type == oidBytea && c.filter.Op == Like {
		return nil
	}
	return raised("operator " + string(c.filter.Op) + " requires a text-compatible column type, got " + c.column.SQLName)
}

func (c *condition) compileLike() *fault {
	if f := c.textual(); f != nil {
		return f
	}
	like, ok := compileLike(c.filter.Value, c.filter.Op == ILike)
	if !ok {
		return &fault{"22025", "LIKE pattern must not end with escape character"}
	}
	c.like, c.ask = like, c.kind.class != text
	return nil
}

func (c *condition) compileMatch() *fault {
	if f := c.textual(); f != nil {
		return f
	}
	if c.kind.class == text {
		c.pattern = compilePattern(c.filter.Value, c.filter.Op == IMatch)
	}
	c.ask = c.pattern == nil
	return nil
}

// exact reports whether a row passes exactly when the column's value is one of
// the condition's, so that it can be looked up.
func (c *condition) exact() bool {
	return !c.ask && !c.filter.Negate && (c.filter.Op == Eq || c.filter.Op == In)
}

// cost orders conditions: those that are cheap to evaluate first.
func (c *condition) cost() int {
	switch {
	case c.ask:
		return 4
	case c.pattern != nil:
		return 3
	case c.like != nil:
		return 2
	case c.filter.Op == In || c.kind.class == numeric:
		return 1
	}
	return 0
}

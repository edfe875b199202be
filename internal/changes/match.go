package changes

import "github.com/tutti-realtime/tutti"

// A Verdict says whether a row passes filters.
type Verdict uint8

// The verdicts.
const (
	No  Verdict = iota
	Ask         // PostgreSQL: no filter excludes the row, and some cannot be evaluated here
	Yes
)

// Match judges a change by all filters of the rule; the table and the kind are
// taken to be the rule's. INSERT and UPDATE are judged by the new row, DELETE
// by what the replica identity keeps of the old one. Database, section 3.3.
func (r *Rule) Match(c *tutti.Change) Verdict {
	return judge(r.conditions, c)
}

// row returns the values by which a change is judged.
func row(c *tutti.Change) []tutti.Value {
	if c.Kind == tutti.Delete {
		return c.Old
	}
	return c.New
}

func judge(conditions []condition, c *tutti.Change) Verdict {
	verdict := Yes
	for i := range conditions {
		value, known := conditions[i].find(c)
		v := Ask
		if known || value.Kind != tutti.Text { // what null means does not depend on the type
			v = conditions[i].judge(value)
		}
		if v == No {
			return No
		}
		verdict = min(verdict, v)
	}
	return verdict
}

// find returns the value that the condition is about. It is not known when the
// column's type is not what it was when the condition was made.
func (c *condition) find(change *tutti.Change) (v tutti.Value, known bool) {
	at := Position(change.Table, c.column.Name)
	values := row(change)
	if at < 0 || at >= len(values) {
		return tutti.Value{}, true // absent
	}
	return values[at], change.Table.Columns[at].TypeOID == c.column.Type
}

// judge evaluates the condition in three-valued logic, in which a row passes
// only what is true.
func (c *condition) judge(v tutti.Value) Verdict {
	switch v.Kind {
	case tutti.Text:
		if c.ask {
			return Ask
		}
		holds, known := c.holds(v.Text)
		switch {
		case !known:
			return Ask
		case c.filter.Op == In && !holds && c.null:
			return No // neither true nor false
		}
		return yes(holds != c.filter.Negate)
	case tutti.Null:
		return c.judgeNull()
	}
	// What the change does not carry is not matched, not even by its negation.
	return No
}

func yes(b bool) Verdict {
	if b {
		return Yes
	}
	return No
}

func (c *condition) judgeNull() Verdict {
	switch c.filter.Op {
	case Is:
		return yes((c.filter.Value == "null" || c.filter.Value == "unknown") != c.filter.Negate)
	case IsDistinct:
		return yes(!c.filter.Negate)
	case In:
		if c.ask && len(c.values) == 0 && !c.null {
			return Ask // an array of dimensions that may be empty
		}
		// Nothing is in an empty list.
		return yes(c.empty && c.filter.Negate)
	}
	return No
}

// holds evaluates the operator without negation on a value that is not null.
func (c *condition) holds(value []byte) (holds, known bool) {
	switch c.filter.Op {
	case Like, ILike:
		return c.like.match(value, c.column.Collation)
	case Match:
		return c.pattern.Match(value), true
	case IMatch:
		return c.pattern.Match(value), isASCII(value)
	case Is:
		return c.isTruth(value), true
	}
	d, known, fault := c.kind.read(value)
	if !known || fault != nil {
		return false, false
	}
	switch c.filter.Op {
	case In:
		for i := range c.values {
			if c.kind.compare(&d, &c.values[i]) == 0 {
				return true, true
			}
		}
		return false, true
	case IsDistinct, Neq:
		return c.kind.compare(&d, &c.values[0]) != 0, true
	}
	return c.filter.Op.orders(c.kind.compare(&d, &c.values[0])), true
}

// isTruth evaluates IS on a value that is not null.
func (c *condition) isTruth(value []byte) bool {
	switch c.filter.Value {
	case "true":
		return string(value) == "t"
	case "false":
		return string(value) == "f"
	}
	return false
}

// orders reports whether a comparison's result is what the operator wants.
func (op Op) orders(order int) bool {
	switch op {
	case Lt:
		return order < 0
	case Lte:
		return order <= 0
	case Gt:
		return order > 0
	case Gte:
		return order >= 0
	}
	return order == 0
}

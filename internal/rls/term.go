package rls

import "cmp"

// A termOp is what a term is.
type termOp uint8

const (
	termConstant termOp = iota // truth
	termValue                  // a boolean expression of the identity
	termAnd
	termOr
	termNot
	termIs      // args[0] IS truth; isNull for unknown
	termNull    // column IS NULL
	termColumn  // a boolean column
	termCompare // column compare operand
)

// A comparison says which order of two values makes it true.
type comparison uint8

const (
	less comparison = 1 << iota
	equal
	greater
)

// comparisonOf returns the comparison of an operator, and that with its sides
// exchanged.
func comparisonOf(operator string) (straight, turned comparison) {
	switch operator {
	case "=":
		return equal, equal
	case "<>":
		return less | greater, less | greater
	case "<":
		return less, greater
	case "<=":
		return less | equal, greater | equal
	case ">":
		return greater, less
	}
	return greater | equal, less | equal
}

// A term is a condition on a row. Within a Plan its operands may be expressions
// of the identity; within a Judge they are values.
type term struct {
	op       termOp
	truth    truth
	compare  comparison
	distinct bool // compares as IS DISTINCT FROM does: NULL is a value
	column   int  // of the plan's columns
	operand  operand
	args     []term
}

// An operand is what a column is compared with.
type operand struct {
	expression int  // of the plan's expressions; -1 when the value stands here
	null       bool // the value is NULL
	numeric    bool // the value is number, not text
	number     int64
	text       string
}

// eval returns what the term says of a row.
func (t *term) eval(row *Row) truth {
	switch t.op {
	case termConstant:
		return t.truth
	case termAnd:
		all := isTrue
		for i := range t.args {
			if all = all.and(t.args[i].eval(row)); all == isFalse {
				break
			}
		}
		return all
	case termOr:
		some := isFalse
		for i := range t.args {
			if some = some.or(t.args[i].eval(row)); some == isTrue {
				break
			}
		}
		return some
	case termNot:
		return t.args[0].eval(row).not()
	case termIs:
		return t.args[0].eval(row).is(t.truth)
	}
	return t.look(&row.cells[t.column])
}

// look returns what a term on one column says of its value.
func (t *term) look(c *cell) truth {
	if c.state == cellUnknown {
		return isUnknown
	}
	null := c.state == cellNull
	switch t.op {
	case termNull:
		return truthOf(null)
	case termColumn:
		if null {
			return isNull
		}
		return truthOf(c.number != 0)
	case termCompare:
		switch {
		case t.distinct && (null || t.operand.null):
			return truthOf(null != t.operand.null)
		case null || t.operand.null:
			return isNull
		}
		return t.order(c)
	}
	return isUnknown // termValue: no Judge has one
}

// order compares the value of a column with the operand.
func (t *term) order(c *cell) truth {
	if t.operand.numeric {
		return truthOf(t.compare&orderOf(cmp.Compare(c.number, t.operand.number)) != 0)
	}
	// Texts are only equal or not: their order is a matter of the collation.
	same := string(c.text) == t.operand.text
	return truthOf(same == (t.compare&equal != 0))
}

func orderOf(n int) comparison {
	switch {
	case n < 0:
		return less
	case n > 0:
		return greater
	}
	return equal
}

// simplify returns an AND or OR without the arguments that do not matter.
func (t term) simplify() term {
	neutral, final := isTrue, isFalse
	if t.op == termOr {
		neutral, final = isFalse, isTrue
	}
	var args []term
	for _, a := range t.args {
		switch {
		case a.op == termConstant && a.truth == final:
			return a
		case a.op == termConstant && a.truth == neutral:
		case a.op == t.op:
			args = append(args, a.args...)
		default:
			args = append(args, a)
		}
	}
	switch len(args) {
	case 0:
		return term{truth: neutral}
	case 1:
		return args[0]
	}
	return term{op: t.op, args: args}
}

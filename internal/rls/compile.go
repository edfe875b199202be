package rls

import (
	"maps"
	"slices"
)

// A compiler makes a plan of policies.
type compiler struct {
	columns []Column
	plan    *Plan
	claims  map[string]bool
	all     bool

	checker *checker // of the policy at hand
	source  string   // of the policy at hand
}

// policy returns the condition of a policy.
func (c *compiler) policy(p *Policy) (t term, ok bool) {
	if p.Operators {
		return term{}, false
	}
	c.source = p.Using
	c.checker = &checker{
		functions: slices.Concat(p.Functions, p.Helpers),
		called:    map[string]*called{},
		claims:    c.claims,
	}
	e, ok := parsePolicy(p.Using, func(name string) bool { return c.column(name) != nil })
	if !ok {
		return term{}, false
	}
	t, ok = c.condition(e)
	c.all = c.all || c.checker.all
	return t, ok && !c.checker.unused(p.Functions)
}

// column returns the table's column of this name, or nil.
func (c *compiler) column(name string) *Column {
	i := slices.IndexFunc(c.columns, func(d Column) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &c.columns[i]
}

// condition returns the condition that a boolean expression is.
func (c *compiler) condition(e *expr) (t term, ok bool) {
	if !e.columns {
		return c.identity(e)
	}
	switch e.op {
	case exprColumn:
		d := c.column(e.name)
		return term{op: termColumn, column: c.reads(d)}, d.kind() == kindBool
	case exprAnd:
		return c.join(termAnd, e.args)
	case exprOr:
		return c.join(termOr, e.args)
	case exprNot, exprTest:
		return c.test(e)
	case exprNull:
		return c.null(e.args[0])
	case exprBinary, exprDistinct:
		return c.compare(e, e.args[0], e.args[1])
	case exprAny, exprAll:
		return c.each(e)
	}
	return term{}, false
}

// identity returns the condition that an expression without columns is.
func (c *compiler) identity(e *expr) (t term, ok bool) {
	if e.op == exprLiteral && e.kind == kindBool {
		return term{truth: truthOf(e.text == "true")}, true
	}
	if !c.checker.check(e) || e.kind != kindBool {
		return term{}, false
	}
	return term{op: termValue, operand: operand{expression: c.asks(e)}}, true
}

// asks returns the index of an expression of the identity.
func (c *compiler) asks(e *expr) int {
	c.checker.use(e)
	asked := expression{sql: c.source[e.from:e.to], kind: e.kind}
	if i := slices.Index(c.plan.expressions, asked); i >= 0 {
		return i
	}
	c.plan.expressions = append(c.plan.expressions, asked)
	return len(c.plan.expressions) - 1
}

// reads returns the index of a column among those that the plan reads.
func (c *compiler) reads(d *Column) int {
	i := slices.IndexFunc(c.plan.columns, func(r column) bool { return r.name == d.Name })
	if i >= 0 {
		return i
	}
	c.plan.columns = append(c.plan.columns, column{name: d.Name, kind: d.kind()})
	return len(c.plan.columns) - 1
}

func (c *compiler) join(op termOp, args []*expr) (t term, ok bool) {
	t.op = op
	for _, a := range args {
		part, ok := c.condition(a)
		if !ok {
			return term{}, false
		}
		t.args = append(t.args, part)
	}
	return t, true
}

// test returns NOT and IS TRUE, FALSE and UNKNOWN of a condition.
func (c *compiler) test(e *expr) (t term, ok bool) {
	of, ok := c.condition(e.args[0])
	t = term{op: termNot, args: []term{of}}
	if e.op == exprTest {
		t.op = termIs
		t.truth = map[string]truth{"true": isTrue, "false": isFalse, "unknown": isNull}[e.name]
	}
	return t, ok
}

// null returns IS NULL of a column, or of a condition.
func (c *compiler) null(of *expr) (t term, ok bool) {
	if of.op == exprColumn {
		d := c.column(of.name)
		return term{op: termNull, column: c.reads(d)}, d.isScalar()
	}
	condition, ok := c.condition(of)
	return term{op: termIs, truth: isNull, args: []term{condition}}, ok
}

// each returns the comparisons of which = ANY and <> ALL of an array consist.
func (c *compiler) each(e *expr) (t term, ok bool) {
	t.op = termOr
	if e.op == exprAll {
		t.op = termAnd
	}
	array, ok := elementsOf(e.args[1])
	for _, element := range array {
		one, fits := c.compare(e, e.args[0], element)
		t.args = append(t.args, one)
		ok = ok && fits
	}
	if len(array) == 0 { // or what is wrong with the other side would not be seen
		return term{}, false
	}
	return t, ok
}

// elementsOf returns the elements of an array of SQL.
func elementsOf(e *expr) (elements []*expr, ok bool) {
	switch {
	case e.op == exprArray:
		return e.args, true
	case e.op != exprCast || e.typ.kind() != kindTexts:
		return nil, false
	}
	of := e.args[0]
	if of.op == exprArray {
		for _, element := range of.args {
			// '…'::character varying, which the cast makes text one by one.
			if element.op != exprCast || element.typ.kind() != kindVarchar {
				return nil, false
			}
			elements = append(elements, asText(element))
		}
		return elements, true
	}
	if of.op != exprLiteral || of.kind != kindUntyped || of.null {
		return nil, false
	}
	texts, ok := plainArray(of.text)
	for _, text := range texts {
		elements = append(elements, asText(&expr{op: exprLiteral, kind: kindUntyped, text: text}))
	}
	return elements, ok
}

// asText returns e::text.
func asText(e *expr) *expr {
	cast := newExpr(exprCast, e)
	cast.typ = typeName{name: "text", source: "text"}
	return cast
}

// finish makes the plan of the condition.
func (c *compiler) finish(root term) *Plan {
	p := c.plan
	p.root = fold(root, nil)
	p.claims = slices.Sorted(maps.Keys(c.claims))
	p.all = c.all
	p.findKey()
	return p
}

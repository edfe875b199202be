package rls

import (
	"slices"
	"strings"
)

// A checker decides whether what has no columns depends on the role and the
// claims alone, and finds its types. It accepts only operators and functions of
// pg_catalog that read nothing else, on types for which PostgreSQL looks for no
// others. Whatever it accepts is evaluated by PostgreSQL.
type checker struct {
	functions []Function
	called    map[string]*called // by schema and name: the functions it has seen
	claims    map[string]bool    // what is read of them
	all       bool               // all of them are read
	body      bool               // it checks the body of a function
}

// A called is a function that stands in an expression.
type called struct {
	kind  kind
	whole bool
	named bool
	safe  bool
}

// check finds the types of e and reports whether it is safe.
func (c *checker) check(e *expr) bool {
	for _, a := range e.args {
		if !c.check(a) {
			return false
		}
		e.named = e.named || a.named
	}
	return c.one(e) && e.kind != kindNone
}

// one checks an expression whose arguments are.
func (c *checker) one(e *expr) bool {
	switch e.op {
	case exprLiteral:
		// pg_get_expr writes a type with all that are not numbers or booleans, and
		// the cast takes it from here.
		return true
	case exprCall:
		return c.call(e)
	case exprCast:
		return c.cast(e)
	case exprBinary:
		return c.binary(e)
	case exprAny, exprAll:
		return c.each(e)
	case exprArray:
		return c.array(e)
	case exprDistinct:
		e.kind = kindBool
		return c.compare(e.args[0], e.args[1])
	case exprNull:
		c.use(e.args[0])
		e.kind = kindBool
		return e.args[0].kind.isEvaluable()
	case exprTest, exprAnd, exprOr, exprNot:
		e.kind = kindBool
		return !slices.ContainsFunc(e.args, func(a *expr) bool { return a.kind != kindBool })
	case exprCoalesce, exprNullIf:
		return c.choice(e)
	case exprSelect:
		e.kind, e.whole = e.args[0].kind, e.args[0].whole
		return e.kind.isEvaluable() && e.kind != kindUntyped
	case exprUser:
		e.kind, e.named = kindName, true
		return true
	}
	return false // a column
}

// use says that the value of e matters, and so all claims if it is all of them.
func (c *checker) use(e *expr) { c.all = c.all || e.whole }

// claim says that one claim is read.
func (c *checker) claim(name string) { c.claims[name] = true }

// compare checks that PostgreSQL's own equality compares a and b.
func (c *checker) compare(a, b *expr) bool {
	c.use(a)
	c.use(b)
	return a.kind.isComparable() && b.kind.isComparable() && a.kind.isLike(b.kind) && c.typed(a, b)
}

// typed reports whether literals have the types that they are to have: in what
// pg_get_expr writes each has its own.
func (c *checker) typed(of ...*expr) bool {
	return c.body || !slices.ContainsFunc(of, func(e *expr) bool { return e.kind == kindUntyped })
}

// cast checks a cast. All between these types depend on the value alone.
func (c *checker) cast(e *expr) bool {
	of, to := e.args[0], e.typ.kind()
	e.whole = of.whole
	if of.op == exprLiteral && of.kind == kindUntyped && to != kindNone {
		e.kind = to
		return true
	}
	e.kind = to
	if !of.kind.isEvaluable() || of.kind == kindUntyped {
		return false
	}
	if of.kind == kindElements {
		return false
	}
	if of.kind == kindTexts || to == kindTexts {
		return of.kind == to
	}
	if of.whole && to != kindText && to != kindJSON && to != kindJSONB {
		c.use(of)
		e.whole = false
	}
	return to.isEvaluable()
}

// binary checks an operator between two values.
func (c *checker) binary(e *expr) bool {
	a, b := e.args[0], e.args[1]
	if !c.typed(a, b) {
		return false
	}
	e.kind = kindBool
	switch e.name {
	case "=", "<>":
		return c.compare(a, b)
	case "<", "<=", ">", ">=":
		return c.compare(a, b) && a.kind.isInt() && b.kind.isInt()
	case "||":
		c.use(a)
		c.use(b)
		e.kind = kindText
		return a.kind == kindText && (b.kind == kindText || b.kind == kindUntyped) ||
			a.kind == kindUntyped && b.kind == kindText
	case "@>", "<@":
		c.use(a)
		c.use(b)
		return a.kind == kindJSONB && (b.kind == kindJSONB || b.kind == kindUntyped)
	}
	return c.field(e, a, b)
}

// field checks an operator that reads a part of JSON.
func (c *checker) field(e, of, key *expr) bool {
	if of.kind != kindJSONB && of.kind != kindJSON {
		return false
	}
	c.use(key)
	name, known := fieldName(e.name, key)
	if of.whole && known {
		c.claim(name)
	} else {
		c.use(of)
	}
	text := key.kind == kindText || key.kind == kindUntyped
	switch e.name {
	case "->":
		e.kind = of.kind
		return text || key.kind == kindInt4
	case "->>":
		e.kind = kindText
		return text || key.kind == kindInt4
	case "#>":
		e.kind = of.kind
		return key.kind == kindTexts || key.kind == kindUntyped
	case "#>>":
		e.kind = kindText
		return key.kind == kindTexts || key.kind == kindUntyped
	case "?":
		return of.kind == kindJSONB && text
	case "?|", "?&":
		return of.kind == kindJSONB && key.kind == kindTexts
	}
	return false
}

// fieldName returns the name of the one member of an object that the operator
// reads, if it can be told.
func fieldName(operator string, key *expr) (name string, ok bool) {
	if key.op == exprCast && (key.kind == kindText || key.kind == kindTexts) {
		key = key.args[0]
	}
	if key.op != exprLiteral || key.kind != kindUntyped || key.null {
		return "", false
	}
	switch operator {
	case "->", "->>", "?":
		return key.text, true
	case "#>", "#>>":
		path, ok := plainArray(key.text)
		return strings.Join(path[:min(1, len(path))], ""), ok && len(path) > 0
	}
	return "", false
}

// plainArray returns the elements of the text of an array, if there is nothing
// in it but names and commas.
func plainArray(text string) (elements []string, ok bool) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, false
	}
	if text == "{}" {
		return nil, true
	}
	elements = strings.Split(text[1:len(text)-1], ",")
	return elements, !slices.ContainsFunc(elements, func(s string) bool {
		return s == "" || strings.EqualFold(s, "null") || strings.ContainsFunc(s, func(r rune) bool {
			return r >= 0x80 || !isLetter(byte(r)) && !isDigit(byte(r)) && r != '-'
		})
	})
}

// each checks a comparison with the elements of an array.
func (c *checker) each(e *expr) bool {
	of, array := e.args[0], e.args[1]
	e.kind = kindBool
	c.use(of)
	if e.name != "=" && e.name != "<>" {
		return false
	}
	if array.kind == kindTexts && array.op == exprCast {
		return of.kind == kindText
	}
	return array.op == exprArray && !slices.ContainsFunc(array.args, func(a *expr) bool { return !c.compare(of, a) })
}

// array checks an array of elements of one type.
func (c *checker) array(e *expr) bool {
	e.kind = kindTexts
	for _, a := range e.args {
		c.use(a)
		if a.kind != e.args[0].kind || !a.kind.isEvaluable() || !c.typed(a) {
			return false
		}
	}
	if len(e.args) == 0 || e.args[0].kind == kindText {
		return true
	}
	e.kind = kindElements
	return true
}

// choice checks COALESCE and NULLIF, of which the result may be all claims.
func (c *checker) choice(e *expr) bool {
	if len(e.args) == 0 || e.op == exprNullIf && len(e.args) != 2 || !c.typed(e.args...) {
		return false
	}
	for _, a := range e.args {
		if e.kind == kindNone || e.kind == kindUntyped {
			e.kind = a.kind
		}
		e.whole = e.whole || a.whole
	}
	for _, a := range e.args {
		if a.kind != e.kind && a.kind != kindUntyped {
			return false
		}
	}
	if e.op == exprCoalesce {
		return e.kind.isEvaluable() && e.kind != kindUntyped
	}
	// NULLIF(claims, '') is as good as the claims: there are some.
	if empty := e.args[1]; !e.args[0].whole || constantText(empty) != "" || empty.whole {
		c.use(e)
	}
	e.whole = e.args[0].whole
	return e.kind.isComparable() && e.kind != kindUntyped && c.typed(e.args...)
}

// constantText returns the text of a literal, with its type or without. What is
// no literal has one that is not empty.
func constantText(e *expr) string {
	if e.op == exprCast && (e.kind == kindText || e.kind == kindVarchar) {
		e = e.args[0]
	}
	if e.op != exprLiteral || e.null {
		return "?"
	}
	return e.text
}

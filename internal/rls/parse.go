package rls

import (
	"math"
	"slices"
	"strconv"
)

// maxDepth bounds how deep parentheses and the like may nest.
const maxDepth = 60

// A parser reads expressions by PostgreSQL's precedence of operators. What
// pg_get_expr writes has parentheses everywhere, what people write in the body
// of a function has not.
//
// Specification: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE
type parser struct {
	source  string
	tokens  []token
	at      int
	depth   int
	columns func(name string) bool // which names are columns; nil: none
	failed  bool
}

// parsePolicy reads an expression as pg_get_expr writes it.
func parsePolicy(source string, columns func(name string) bool) (*expr, bool) {
	tokens, ok := tokenize(source)
	if !ok {
		return nil, false
	}
	p := &parser{source: source, tokens: tokens, columns: columns}
	e := p.expression()
	return e, !p.failed && p.peek().kind == tokenEnd
}

// parseBody reads the body of a function in SQL that is a single SELECT of an
// expression, as people write it.
func parseBody(source string) (*expr, bool) {
	tokens, ok := tokenize(source)
	if !ok {
		return nil, false
	}
	p := &parser{source: source, tokens: tokens}
	if !p.keyword("select") {
		return nil, false
	}
	e := p.expression()
	p.label()
	for p.mark(";") {
		continue
	}
	return e, !p.failed && p.peek().kind == tokenEnd
}

func (p *parser) peek() token { return p.tokens[min(p.at, len(p.tokens)-1)] }

// next returns the token at hand and goes on to the one behind it.
func (p *parser) next() token {
	t := p.peek()
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// keyword and mark go on if this is the token at hand.
func (p *parser) keyword(word string) bool { return p.take(tokenWord, word) }
func (p *parser) mark(mark string) bool    { return p.take(tokenMark, mark) }

func (p *parser) take(kind tokenKind, text string) bool {
	if !p.peek().is(kind, text) {
		return false
	}
	p.at++
	return true
}

// want goes on if the mark is at hand, and fails otherwise.
func (p *parser) want(mark string) {
	if !p.mark(mark) {
		p.fail()
	}
}

// fail refuses the source. What it returns stands for an expression until the
// parser has returned.
func (p *parser) fail() *expr {
	p.failed = true
	p.at = len(p.tokens) - 1
	return &expr{}
}

// expression reads an expression with any operator.
func (p *parser) expression() *expr {
	if p.depth++; p.depth > maxDepth {
		return p.fail()
	}
	defer func() { p.depth-- }()
	return p.list(exprOr, "or", func() *expr { return p.list(exprAnd, "and", p.not) })
}

// list reads what is joined by the word, as one expression.
func (p *parser) list(op exprOp, word string, part func() *expr) *expr {
	args := []*expr{part()}
	for p.keyword(word) {
		args = append(args, part())
	}
	if len(args) == 1 {
		return args[0]
	}
	return newExpr(op, args...)
}

func (p *parser) not() *expr {
	from := p.peek().from
	if !p.keyword("not") {
		return p.is()
	}
	if p.depth++; p.depth > maxDepth {
		return p.fail()
	}
	e := negate(p.not())
	p.depth--
	e.from = from
	return e
}

// is reads the tests that begin with IS, of which there is one at most.
func (p *parser) is() *expr {
	e := p.comparison()
	if !p.keyword("is") {
		return e
	}
	not := p.keyword("not")
	switch word := p.next(); {
	case word.is(tokenWord, "null"):
		e = newExpr(exprNull, e)
	case word.is(tokenWord, "true"), word.is(tokenWord, "false"), word.is(tokenWord, "unknown"):
		e = newExpr(exprTest, e)
		e.name = word.text
	case word.is(tokenWord, "distinct") && p.keyword("from"):
		e = newExpr(exprDistinct, e, p.comparison())
	default:
		return p.fail()
	}
	e.to = p.tokens[max(p.at-1, 0)].to
	if not {
		e = negate(e)
	}
	return e
}

// comparisons is the operators that compare, others those that bind tighter.
var (
	comparisons = []string{"=", "<>", "!=", "<", "<=", ">", ">="}
	others      = []string{"->", "->>", "#>", "#>>", "||", "?", "?|", "?&", "@>", "<@"}
)

// operator goes on if one of the operators is at hand, and returns it.
func (p *parser) operator(of []string) (name string, ok bool) {
	t := p.peek()
	if t.kind != tokenOperator || !slices.Contains(of, t.text) {
		return "", false
	}
	p.at++
	if t.text == "!=" {
		return "<>", true
	}
	return t.text, true
}

// comparison reads a comparison, of which there is one at most.
func (p *parser) comparison() *expr {
	e := p.other()
	name, ok := p.operator(comparisons)
	if !ok {
		return e
	}
	op := exprBinary
	switch {
	case p.keyword("any"), p.keyword("some"):
		op = exprAny
	case p.keyword("all"):
		op = exprAll
	}
	if op == exprBinary {
		e = newExpr(op, e, p.other())
	} else {
		p.want("(")
		e = newExpr(op, e, p.expression())
		e.to = p.peek().to
		p.want(")")
	}
	e.name = name
	return e
}

func (p *parser) other() *expr {
	e := p.postfix()
	for {
		name, ok := p.operator(others)
		if !ok {
			return e
		}
		e = newExpr(exprBinary, e, p.postfix())
		e.name = name
	}
}

func (p *parser) postfix() *expr {
	e := p.primary()
	for p.mark("::") {
		typ := p.typeName()
		e = newExpr(exprCast, e)
		e.typ, e.to = typ, p.tokens[max(p.at-1, 0)].to
	}
	return e
}

// typeName reads the name of a type, without a modifier.
func (p *parser) typeName() typeName {
	first := p.next()
	t := typeName{name: first.text}
	switch {
	case first.kind == tokenName, first.kind == tokenWord && p.peek().is(tokenMark, "."):
		// A quoted name alone is none that pg_get_expr writes for a type we know.
		if !p.mark(".") {
			p.fail()
			return t
		}
		last := p.next()
		if last.kind != tokenName && last.kind != tokenWord {
			p.fail()
		}
		t.schema, t.name = first.text, last.text
		if t.schema == "pg_catalog" {
			t.schema = ""
		}
	case first.kind != tokenWord:
		p.fail()
	case first.text == "character" && p.keyword("varying"):
		t.name = "character varying"
	}
	if p.failed {
		return t
	}
	t.source = p.source[first.from:p.tokens[p.at-1].to]
	if p.mark("[") {
		p.want("]")
		t.array = true
	}
	return t
}

// label reads AS and the name of a result.
func (p *parser) label() {
	if !p.keyword("as") {
		return
	}
	if k := p.next().kind; k != tokenWord && k != tokenName {
		p.fail()
	}
}

// integer returns a literal of digits, which is an int4 if it has room.
func (p *parser) integer(t token) *expr {
	n, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		return p.fail()
	}
	e := &expr{op: exprLiteral, kind: kindInt4, text: strconv.FormatInt(n, 10), from: t.from, to: t.to}
	if n > math.MaxInt32 {
		e.kind = kindInt8
	}
	return e
}

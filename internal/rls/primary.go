package rls

import "slices"

// primary reads what no operator stands in, except within parentheses.
func (p *parser) primary() *expr {
	t := p.next()
	switch {
	case t.is(tokenMark, "("):
		return p.parenthesis(t)
	case t.kind == tokenString:
		return &expr{op: exprLiteral, kind: kindUntyped, text: t.text, from: t.from, to: t.to}
	case t.kind == tokenInteger:
		return p.integer(t)
	case t.kind == tokenName:
		return p.name(t)
	case t.kind == tokenWord:
		return p.word(t)
	}
	return p.fail()
}

// parenthesis reads an expression or a sub-select and the closing parenthesis.
func (p *parser) parenthesis(open token) *expr {
	selects := p.keyword("select")
	e := p.expression()
	if selects {
		p.label()
		// In a sub-select names may mean something else, and do not if it has none.
		if e.columns {
			return p.fail()
		}
		e = newExpr(exprSelect, e)
	}
	e.from, e.to = open.from, p.peek().to
	p.want(")")
	return e
}

// word reads what begins with an unquoted word.
func (p *parser) word(t token) *expr {
	switch t.text {
	case "true", "false":
		return &expr{op: exprLiteral, kind: kindBool, text: t.text, from: t.from, to: t.to}
	case "null":
		return &expr{op: exprLiteral, kind: kindUntyped, null: true, from: t.from, to: t.to}
	case "current_user":
		return &expr{op: exprUser, from: t.from, to: t.to}
	case "coalesce":
		return p.arguments(&expr{op: exprCoalesce, from: t.from})
	case "nullif":
		return p.arguments(&expr{op: exprNullIf, from: t.from})
	case "array":
		return p.array(t)
	case "cast":
		return p.cast(t)
	}
	if slices.Contains(reserved, t.text) {
		return p.fail()
	}
	return p.name(t)
}

// reserved is words that are no names unless they are quoted: the reserved words
// that can begin an expression, and those that name a value without parentheses.
// https://www.postgresql.org/docs/current/sql-keywords-appendix.html
var reserved = []string{
	"all", "any", "and", "as", "between", "bigint", "bit", "boolean", "both", "case", "char", "character", "check",
	"collate", "column", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
	"current_timestamp", "dec", "decimal", "default", "distinct", "do", "else", "end", "except", "exists", "extract",
	"fetch", "float", "for", "from", "grant", "greatest", "group", "grouping", "having", "in", "int", "integer",
	"intersect", "interval", "into", "is", "lateral", "least", "like", "limit", "localtime", "localtimestamp",
	"national", "nchar", "none", "normalize", "not", "numeric", "offset", "on", "only", "or", "order", "out",
	"overlay", "position", "precision", "real", "returning", "row", "select", "session_user", "setof", "similar",
	"smallint", "some", "substring", "symmetric", "system_user", "table", "then", "time", "timestamp", "to",
	"treat", "trim", "union", "unique", "user", "using", "values", "varchar", "variadic", "when", "where", "window",
	"with", "xmlelement",
}

// name reads a column or a call of a function.
func (p *parser) name(t token) *expr {
	schema := ""
	from := t.from
	if p.mark(".") {
		schema = t.text
		if t = p.next(); t.kind != tokenName && t.kind != tokenWord {
			return p.fail()
		}
		if !p.peek().is(tokenMark, "(") {
			return p.fail()
		}
	}
	if p.peek().is(tokenMark, "(") {
		return p.arguments(&expr{op: exprCall, schema: schema, name: t.text, from: from})
	}
	// PostgreSQL writes an unquoted column in lower case, and values such as
	// SESSION_USER in upper case.
	if p.columns == nil || !t.lower || p.peek().is(tokenMark, ".") || !p.columns(t.text) {
		return p.fail()
	}
	return &expr{op: exprColumn, name: t.text, columns: true, from: t.from, to: t.to}
}

// arguments reads the arguments of e in parentheses.
func (p *parser) arguments(e *expr) *expr {
	p.want("(")
	if !p.peek().is(tokenMark, ")") {
		e.args = p.commas()
	}
	e.columns = anyColumns(e.args)
	e.to = p.peek().to
	p.want(")")
	return e
}

// commas reads one expression or more with commas between them.
func (p *parser) commas() []*expr {
	args := []*expr{p.expression()}
	for p.mark(",") {
		args = append(args, p.expression())
	}
	return args
}

// array reads ARRAY[…].
func (p *parser) array(t token) *expr {
	e := &expr{op: exprArray, from: t.from}
	p.want("[")
	if !p.peek().is(tokenMark, "]") {
		e.args = p.commas()
	}
	e.columns = anyColumns(e.args)
	e.to = p.peek().to
	p.want("]")
	return e
}

// cast reads CAST(… AS type).
func (p *parser) cast(t token) *expr {
	p.want("(")
	e := newExpr(exprCast, p.expression())
	if !p.keyword("as") {
		return p.fail()
	}
	e.typ = p.typeName()
	e.from, e.to = t.from, p.peek().to
	p.want(")")
	return e
}

func anyColumns(args []*expr) bool {
	return slices.ContainsFunc(args, func(a *expr) bool { return a.columns })
}

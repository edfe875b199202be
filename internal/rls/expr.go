package rls

// An exprOp is what an expression does with its arguments.
type exprOp uint8

const (
	exprLiteral  exprOp = iota // text, or a null
	exprColumn                 // name
	exprCall                   // schema.name(args)
	exprCast                   // args[0]::typ
	exprBinary                 // args[0] name args[1]
	exprAny                    // args[0] name ANY (args[1])
	exprAll                    // args[0] name ALL (args[1])
	exprArray                  // ARRAY[args]
	exprDistinct               // args[0] IS DISTINCT FROM args[1]
	exprNull                   // args[0] IS NULL
	exprTest                   // args[0] IS name, where name is true, false or unknown
	exprAnd
	exprOr
	exprNot
	exprCoalesce
	exprNullIf
	exprSelect // (SELECT args[0])
	exprUser   // CURRENT_USER
)

// An expr is an expression of SQL. It is what stands from from to to in the
// source.
type expr struct {
	op       exprOp
	args     []*expr
	name     string
	schema   string
	typ      typeName
	text     string
	kind     kind // of a literal, by how it is written; of others after check
	null     bool
	columns  bool // it reads a column
	from, to int

	whole bool // after check: its value is all claims, as text or JSON
	named bool // after check: it has CURRENT_USER in it, whose collation is C
}

// A typeName is the name of a type as it is written.
type typeName struct {
	schema string // "" when there is none, and for pg_catalog
	name   string
	source string // without white space around it
	array  bool
}

// kind returns the type's kind.
func (t typeName) kind() kind {
	switch {
	case t.schema != "":
		return kindNone
	case !t.array:
		return kindOf(t.name)
	case kindOf(t.name) == kindText:
		return kindTexts
	}
	return kindNone
}

// newExpr returns an expression from the start of its first argument to the end
// of its last, or as the caller says.
func newExpr(op exprOp, args ...*expr) *expr {
	e := &expr{op: op, args: args}
	if len(args) > 0 {
		e.from, e.to = args[0].from, args[len(args)-1].to
		e.columns = anyColumns(args)
	}
	return e
}

// negate returns NOT e, at the place of e.
func negate(e *expr) *expr {
	return newExpr(exprNot, e)
}

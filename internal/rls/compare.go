package rls

// A side is the side of a comparison that is a column.
type side struct {
	column *Column
	kind   kind // as which it is compared: of integers, kindInt8
	bare   bool // there is no cast
}

// compare returns the comparison of a column with a value of the identity, one
// on each side, or with a literal.
func (c *compiler) compare(e, left, right *expr) (t term, ok bool) {
	straight, turned := comparisonOf(e.name)
	t = term{op: termCompare, compare: straight}
	if e.op == exprDistinct {
		t.compare, t.distinct = less|greater, true
	} else if e.op == exprBinary && !isComparison(e.name) || e.op != exprBinary && e.name != "=" && e.name != "<>" {
		return term{}, false
	}
	if !left.columns {
		left, right = right, left
		if !t.distinct {
			t.compare = turned
		}
	}
	s, ok := c.side(left)
	if !ok || right.columns {
		return term{}, false
	}
	if order := t.compare != equal && t.compare != less|greater; order && s.kind != kindInt8 {
		return term{}, false
	}
	t.operand, ok = c.operand(s, right)
	t.column = c.reads(s.column)
	return t, ok
}

// isComparison reports whether an operator is one of comparisonOf.
func isComparison(operator string) bool {
	switch operator {
	case "=", "<>", "<", "<=", ">", ">=":
		return true
	}
	return false
}

// side reads a column, perhaps with casts that leave its text as it is.
func (c *compiler) side(e *expr) (s side, ok bool) {
	if e.op == exprColumn {
		d := c.column(e.name)
		s = side{column: d, kind: d.kind(), bare: true}
		if s.kind.isInt() {
			s.kind = kindInt8
		}
		return s, s.kind != kindNone
	}
	if e.op != exprCast {
		return side{}, false
	}
	s, ok = c.side(e.args[0])
	if !ok {
		return side{}, false
	}
	from, to := s.kind, e.typ.kind()
	s.bare = false
	switch to {
	case kindText:
		s.kind = kindText
		// A boolean's text is true, its value t; a date's is a matter of DateStyle.
		return s, from != kindBool && from != kindDate
	case kindInt8:
		return s, from == kindInt8
	case kindInt4: // a narrower one may have no room
		return s, from == kindInt8 && s.column.kind() == kindInt2
	}
	return side{}, false
}

// operand reads what the column is compared with. Types must be such that
// PostgreSQL compares both sides as we do.
func (c *compiler) operand(s side, e *expr) (o operand, ok bool) {
	literal, k, ok := c.literal(s, e)
	if ok {
		if !s.takes(k) {
			return operand{}, false
		}
		o = operand{expression: -1, text: literal.text, null: literal.null}
		return o, literal.null || o.read(k, literal.text)
	}
	// The collation of CURRENT_USER may be at odds with the column's, which
	// PostgreSQL finds out when it compares.
	if !c.checker.check(e) || e.named || e.kind == kindName || !s.takes(e.kind) {
		return operand{}, false
	}
	return operand{expression: c.asks(e)}, true
}

// takes reports whether the side can be compared with values of this kind.
func (s side) takes(k kind) bool {
	switch s.kind {
	case kindInt8:
		return k.isInt()
	case kindName:
		return k == kindName || k == kindText
	case kindVarchar: // is compared as text, by a cast that is written
		return false
	}
	return s.kind == k
}

// literal returns the literal that e is, under casts that leave its text as it
// is, and its kind.
func (c *compiler) literal(s side, e *expr) (literal *expr, k kind, ok bool) {
	switch {
	case e.op == exprLiteral:
		return e, e.kind, e.kind != kindUntyped
	case e.op != exprCast:
		return nil, kindNone, false
	}
	to := e.typ.kind()
	of := e.args[0]
	if of.op == exprLiteral && of.kind == kindUntyped {
		switch {
		case to != kindNone && !e.typ.array:
			return of, to, true
		case e.typ.source == "date" && e.typ.schema == "" && !e.typ.array:
			return of, kindDate, true
		case s.kind == kindEnum && e.typ.source == s.column.TypeName && !e.typ.array:
			return of, kindEnum, true
		}
		return nil, kindNone, false
	}
	literal, k, ok = c.literal(s, of)
	switch {
	case !ok:
	case to == kindText && (k == kindVarchar || k == kindText), to == kindInt8 && k.isInt(), to == k && k.isInt():
		return literal, to, true
	}
	return nil, kindNone, false
}

// read takes the value of the operand out of its text, which must be as
// PostgreSQL writes values of this kind.
func (o *operand) read(k kind, text string) (ok bool) {
	o.text = text
	switch {
	case k.isInt():
		o.numeric = true
		o.number, ok = isInteger(text)
		return ok
	case k == kindBool:
		o.numeric = true
		o.number, ok = isBool(text)
		return ok
	case k == kindUUID:
		return isUUID(text)
	case k == kindDate:
		return isDate(text)
	}
	return k == kindText || k == kindName || k == kindVarchar || k == kindEnum
}

package rls

// A Judge says which rows one identity may see. It is shared and never changed.
type Judge struct {
	root term
}

// For returns the judge of an identity, for which Expressions have these values,
// as PostgreSQL writes them or casts them to text; nil is NULL. ok is false when
// they are not such values: PostgreSQL must be asked for each row.
func (p *Plan) For(values []*string) (j *Judge, ok bool) {
	if len(values) != len(p.expressions) {
		return nil, false
	}
	known := make([]operand, len(values))
	for i, v := range values {
		known[i] = operand{expression: -1, null: v == nil}
		if v != nil && !known[i].read(p.expressions[i].kind, *v) {
			return nil, false
		}
	}
	return &Judge{root: fold(p.root, known)}, true
}

// Visible reports whether the identity may see a row of the judge's plan. ok is
// false when that depends on a column that is not known.
func (j *Judge) Visible(row Row) (visible, ok bool) {
	return verdict(j.root.eval(&row))
}

// Always returns the answer that is the same for all rows, if there is one.
func (j *Judge) Always() (visible, ok bool) {
	if j.root.op != termConstant {
		return false, false
	}
	return verdict(j.root.truth)
}

// verdict returns what a policy's result means: NULL is as good as false.
func verdict(t truth) (visible, ok bool) { return t == isTrue, t != isUnknown }

// fold returns the term with the values of the identity in it, and without what
// these make superfluous. Without values expressions stay.
func fold(t term, values []operand) term {
	args := make([]term, len(t.args))
	for i := range args {
		args[i] = fold(t.args[i], values)
	}
	t.args = args
	switch t.op {
	case termValue:
		if values != nil {
			return term{truth: values[t.operand.expression].truth()}
		}
	case termCompare:
		if t.operand.expression >= 0 && values != nil {
			t.operand = values[t.operand.expression]
		}
		if t.operand.null && !t.distinct {
			return term{truth: isNull}
		}
	case termAnd, termOr:
		return t.simplify()
	case termNot:
		if args[0].op == termConstant {
			return term{truth: args[0].truth.not()}
		}
	case termIs:
		if args[0].op == termConstant {
			return term{truth: args[0].truth.is(t.truth)}
		}
	}
	return t
}

// truth returns a boolean operand as SQL has it.
func (o *operand) truth() truth {
	if o.null {
		return isNull
	}
	return truthOf(o.number != 0)
}

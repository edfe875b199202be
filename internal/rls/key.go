package rls

// A keyed is the part of a plan that is the same for all identities, beside a
// comparison by which they can be found.
type keyed struct {
	column     int
	expression int
	matching   term // the plan, if the comparison is true
	others     term // if it is not
}

// Key says, for the commonest of plans, how to find those who may see a row in a
// map rather than by asking each judge: whoever has as value of the expression
// the Text of the column, byte for byte. The rest of the plan, if any, reads the
// row only; what it means for those who match and for those who do not says
// Keyed. ok is false when the plan is not of this shape.
//
// Only identities for which there is a Judge may be in the map.
func (p *Plan) Key() (column, expression int, ok bool) {
	if p.key == nil {
		return 0, 0, false
	}
	return p.key.column, p.key.expression, true
}

// Keyed reports whether a row is visible to identities whose value of the key's
// expression matches, or does not match, the row's. It is for plans with a Key.
func (p *Plan) Keyed(row Row, matches bool) (visible, ok bool) {
	switch {
	case p.key == nil:
		return false, false
	case matches:
		return verdict(p.key.matching.eval(&row))
	}
	return verdict(p.key.others.eval(&row))
}

// findKey sets the plan's key. NOT and IS would make a difference between false
// and NULL, which a map does not, so the comparison may stand within AND and OR
// only.
func (p *Plan) findKey() {
	if len(p.expressions) != 1 {
		return
	}
	leaf, ok := loneLeaf(&p.root)
	if !ok || leaf == nil || p.expressions[0].kind == kindBool {
		return
	}
	p.key = &keyed{
		column: leaf.column, expression: leaf.operand.expression,
		matching: decide(p.root, isTrue), others: decide(p.root, isFalse),
	}
}

// isPersonal reports whether the term itself reads a value of the identity.
func (t *term) isPersonal() bool {
	return t.op == termValue || t.op == termCompare && t.operand.expression >= 0
}

// loneLeaf returns the only comparison with a value of the identity in t, or nil
// without one. ok is false when there is more, or something else.
func loneLeaf(t *term) (leaf *term, ok bool) {
	if t.isPersonal() {
		return t, t.op == termCompare && t.compare == equal && !t.distinct
	}
	for i := range t.args {
		found, ok := loneLeaf(&t.args[i])
		if !ok || found != nil && (leaf != nil || t.op != termAnd && t.op != termOr) {
			return nil, false
		}
		if found != nil {
			leaf = found
		}
	}
	return leaf, true
}

// decide returns t as if its comparison with a value of the identity were that.
func decide(t term, result truth) term {
	if t.isPersonal() {
		return term{truth: result}
	}
	args := make([]term, len(t.args))
	for i := range args {
		args[i] = decide(t.args[i], result)
	}
	t.args = args
	return fold(t, nil)
}

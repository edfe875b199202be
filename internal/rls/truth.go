package rls

// A truth is a value of SQL's logic, and unknown where a column is not known. An
// unknown may be any of the others.
type truth uint8

const (
	isFalse truth = iota
	isTrue
	isNull
	isUnknown
)

// not returns NOT t.
func (t truth) not() truth {
	switch t {
	case isFalse:
		return isTrue
	case isTrue:
		return isFalse
	}
	return t
}

// and returns t AND u.
func (t truth) and(u truth) truth {
	switch {
	case t == isFalse || u == isFalse:
		return isFalse
	case t == isUnknown || u == isUnknown:
		return isUnknown
	case t == isNull || u == isNull:
		return isNull
	}
	return isTrue
}

// or returns t OR u.
func (t truth) or(u truth) truth { return t.not().and(u.not()).not() }

// is returns whether t is the other, which is known.
func (t truth) is(other truth) truth {
	if t == isUnknown {
		return isUnknown
	}
	return truthOf(t == other)
}

// truthOf returns a Go boolean as SQL has it.
func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

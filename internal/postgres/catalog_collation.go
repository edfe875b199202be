package postgres

import (
	"regexp"
	"slices"
)

// A Collation is what must be known of one to compare texts in memory. It is
// that of a column's type, because conditions cast to the type, and not one that
// the column alone has.
type Collation uint8

// The collations.
const (
	// Linguistic collations call texts equal when their bytes are; their order
	// and the case of letters beyond ASCII are PostgreSQL's affair.
	Linguistic Collation = iota
	// ByteOrder collations order by bytes, and know the case of ASCII only.
	ByteOrder
	// Odd collations are those that are not deterministic, and those of
	// languages in which i is not the small letter of I.
	Odd
)

// A locale is a collation as the catalog has it.
type locale struct {
	provider      string // c is libc, i is ICU, b is built in
	deterministic bool
	collate       string // of libc, and of ICU before PostgreSQL 15
	ctype         string // of libc, and of ICU before PostgreSQL 15
	name          string // of others
}

var byteOrders = []string{"C", "POSIX"}

// dottedI matches the locales of Turkish, Azeri and Lithuanian.
var dottedI = regexp.MustCompile(`(?i)^(tr|az|lt|tur|aze|lit|turkish|azeri|azerbaijani|lithuanian)([^a-z]|$)`)

func (l *locale) collation() Collation {
	if !l.deterministic || dottedI.MatchString(l.collate) || dottedI.MatchString(l.ctype) || dottedI.MatchString(l.name) {
		return Odd
	}
	switch l.provider {
	case "b":
		// C.UTF-8 orders by bytes too, but it knows the case of other letters.
		if l.name == "C" {
			return ByteOrder
		}
	case "c":
		if slices.Contains(byteOrders, l.collate) && slices.Contains(byteOrders, l.ctype) {
			return ByteOrder
		}
	}
	return Linguistic
}

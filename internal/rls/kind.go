package rls

import (
	"slices"
	"strconv"
)

// A kind is a type whose values we understand.
type kind uint8

const (
	kindNone    kind = iota // a type that we do not know
	kindUntyped             // a literal in a body that has no type of its own
	kindBool
	kindInt2
	kindInt4
	kindInt8
	kindUUID
	kindText
	kindVarchar
	kindName
	kindDate // of columns and literals only: its text depends on settings
	kindEnum // of columns and literals only: its labels stand in a table
	kindJSON
	kindJSONB
	kindTexts    // text[]
	kindElements // an array of other elements, good only behind = ANY
)

// kindOf returns the kind of a type that pg_catalog has under this name, as
// format_type or a person writes it.
func kindOf(name string) kind {
	switch name {
	case "boolean", "bool":
		return kindBool
	case "smallint", "int2":
		return kindInt2
	case "integer", "int", "int4":
		return kindInt4
	case "bigint", "int8":
		return kindInt8
	case "uuid":
		return kindUUID
	case "text":
		return kindText
	case "character varying", "varchar":
		return kindVarchar
	case "name":
		return kindName
	case "json":
		return kindJSON
	case "jsonb":
		return kindJSONB
	}
	return kindNone
}

// isInt reports whether the kind is one of the integers, which PostgreSQL
// compares with each other without a cast.
func (k kind) isInt() bool { return k == kindInt2 || k == kindInt4 || k == kindInt8 }

// isLike reports whether PostgreSQL has operators for a and b as they are, so
// that it looks for no other: both are the same, both are integers, one is text
// and one a name, or one is a literal that takes the other's type.
func (k kind) isLike(other kind) bool {
	switch {
	case k == kindNone || other == kindNone:
		return false
	case k == other, k.isInt() && other.isInt(), k == kindUntyped, other == kindUntyped:
		return true
	}
	return k == kindText && other == kindName || k == kindName && other == kindText
}

// isComparable reports whether the type has an equality of its own.
func (k kind) isComparable() bool {
	switch k {
	case kindUntyped, kindBool, kindInt2, kindInt4, kindInt8, kindUUID, kindText, kindName, kindJSONB:
		return true
	}
	return false
}

// isEvaluable reports whether what has this kind may be computed of an identity.
func (k kind) isEvaluable() bool {
	return k != kindNone && k != kindDate && k != kindEnum
}

// OIDs of the types that we compare.
const (
	boolOID    = 16
	nameOID    = 19
	int8OID    = 20
	int2OID    = 21
	int4OID    = 23
	textOID    = 25
	dateOID    = 1082
	varcharOID = 1043
	uuidOID    = 2950
)

// kind returns the kind of a column that we can compare, else kindNone.
func (c *Column) kind() kind {
	if c.Domain {
		return kindNone
	}
	k := kindNone
	switch c.Type {
	case boolOID:
		return kindBool
	case int2OID:
		return kindInt2
	case int4OID:
		return kindInt4
	case int8OID:
		return kindInt8
	case uuidOID:
		return kindUUID
	case dateOID:
		return kindDate
	case textOID:
		k = kindText
	case varcharOID:
		k = kindVarchar
	case nameOID:
		k = kindName
	}
	switch {
	case c.Enum:
		return kindEnum
	case c.Deterministic:
		return k
	}
	return kindNone
}

// isScalar reports whether IS NULL asks no more than whether there is a value.
// Of a composite type it asks for its fields, and a type that we do not know may
// be composite.
func (c *Column) isScalar() bool {
	return !c.Domain && (c.Enum || slices.Contains([]uint32{
		boolOID, nameOID, int8OID, int2OID, int4OID, textOID, dateOID, varcharOID, uuidOID,
		17 /* bytea */, 26 /* oid */, 114 /* json */, 700, 701 /* float4, float8 */, 869, /* inet */
		1042 /* bpchar */, 1083 /* time */, 1114, 1184 /* timestamp, timestamptz */, 1186, /* interval */
		1700 /* numeric */, 3802 /* jsonb */, 1007, 1009, 1016, 2951, /* int4[], text[], int8[], uuid[] */
	}, c.Type))
}

// isInteger reports whether text is an integer as PostgreSQL writes it, and
// returns it.
func isInteger(text string) (n int64, ok bool) {
	digits := text
	if len(text) > 0 && text[0] == '-' {
		digits = text[1:]
	}
	if digits == "" || digits[0] == '0' && text != "0" || !isDigit(digits[0]) {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// isUUID reports whether text is a UUID as PostgreSQL writes it.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isDigit(c) && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// isDate reports whether text is a date as PostgreSQL writes it under the ISO
// DateStyle, which has no two forms for one date.
func isDate(text string) bool {
	if text == "infinity" || text == "-infinity" {
		return true
	}
	year := 0
	for year < len(text) && isDigit(text[year]) {
		year++
	}
	rest := text[year:]
	if year < 4 || len(rest) < 6 || rest[0] != '-' || rest[3] != '-' {
		return false
	}
	for _, i := range []int{1, 2, 4, 5} {
		if !isDigit(rest[i]) {
			return false
		}
	}
	return rest[6:] == "" || rest[6:] == " BC"
}

// isBool reports whether text is a boolean, as a column's value or cast to text.
func isBool(text string) (truth int64, ok bool) {
	switch text {
	case "t", "true":
		return 1, true
	case "f", "false":
		return 0, true
	}
	return 0, false
}

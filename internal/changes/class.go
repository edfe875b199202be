package changes

// A class is how values of a type are read and compared in memory.
type class uint8

// The classes. Types of any other kind are opaque: their values are compared
// by PostgreSQL.
const (
	opaque class = iota
	integer
	float
	numeric
	boolean
	text
	padded // char(n): blanks at the end do not count
	uuid
	date
	timestamp
	timestamptz
	bytea
	enum
)

// OIDs of types, which never change.
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidBPChar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTimestamp   = 1114
	oidTimestampTZ = 1184
	oidNumeric     = 1700
	oidUUID        = 2950
)

// A kind is a class with what else reading a value needs.
type kind struct {
	class  class
	bits   int      // of integer and float
	name   string   // of the type in error texts
	labels []string // of enum, in their order
}

// kindOf returns how a column's values are compared. Domains are opaque: a
// value's cast to one also checks constraints.
func kindOf(c *Column) kind {
	k := kind{name: c.SQLName}
	if c.Domain {
		return k
	}
	switch c.Type {
	case oidBool:
		k.class = boolean
	case oidInt2:
		k.class, k.bits = integer, 16
	case oidInt4:
		k.class, k.bits = integer, 32
	case oidInt8:
		k.class, k.bits = integer, 64
	case oidFloat4:
		k.class, k.bits = float, 32
	case oidFloat8:
		k.class, k.bits = float, 64
	case oidNumeric:
		k.class = numeric
	case oidText, oidVarchar:
		k.class = text
	case oidBPChar:
		k.class = padded
	case oidUUID:
		k.class = uuid
	case oidDate:
		k.class = date
	case oidTimestamp:
		k.class = timestamp
	case oidTimestampTZ:
		k.class = timestamptz
	case oidBytea:
		k.class = bytea
	default:
		if c.Labels != nil {
			k.class, k.labels = enum, c.Labels
		}
	}
	if k.isText() && c.Collation == Odd {
		k.class = opaque
	}
	return k
}

func (k kind) isText() bool { return k.class == text || k.class == padded }

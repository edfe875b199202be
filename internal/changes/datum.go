package changes

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A datum is a value that has been read. What its fields mean depends on the
// class.
type datum struct {
	num   int64   // integer, boolean, date in days, timestamps in µs, enum's place; numeric's exponent
	float float64 // float
	text  []byte  // text, padded without padding, uuid and bytea as hex; numeric's digits
	sign  int8    // numeric: see decimal
}

// A fault is what PostgreSQL says when it cannot read a value.
type fault struct {
	state string // SQLSTATE
	text  string
}

// read reads a value as PostgreSQL writes it, or as a filter has it. The text
// may be kept. When known is false it is left to PostgreSQL what the text
// stands for; a fault says that PostgreSQL would refuse it.
func (k kind) read(value []byte) (d datum, known bool, f *fault) {
	switch k.class {
	case integer:
		return k.readInteger(value)
	case float:
		return k.readFloat(value)
	case numeric:
		return k.readNumeric(value)
	case boolean:
		return k.readBoolean(value)
	case text:
		return datum{text: value}, true, nil
	case padded:
		return datum{text: bytes.TrimRight(value, " ")}, true, nil
	case uuid:
		return k.readUUID(value)
	case date, timestamp, timestamptz:
		d.num, known = readTime(k.class, string(value))
		return d, known, nil
	case bytea:
		return k.readBytea(value)
	case enum:
		place := slices.Index(k.labels, string(value))
		if place < 0 {
			return d, true, &fault{"22P02", "invalid input value for enum " + k.name + ": " + quoted(value)}
		}
		return datum{num: int64(place)}, true, nil
	}
	return d, false, nil
}

func quoted(value []byte) string { return `"` + string(value) + `"` }

// invalid is the fault of a text that is none of the type's.
func (k kind) invalid(value []byte) *fault {
	return &fault{"22P02", "invalid input syntax for type " + k.name + ": " + quoted(value)}
}

func trimmed(value []byte) []byte { return bytes.Trim(value, arraySpace) }

func (k kind) readInteger(value []byte) (datum, bool, *fault) {
	digits := string(trimmed(value))
	n, err := strconv.ParseInt(digits, 10, k.bits)
	switch {
	case err == nil:
		return datum{num: n}, true, nil
	case newerNotation(digits):
		return datum{}, false, nil
	case strings.Trim(digits, "0123456789") == "" && digits != "",
		len(digits) > 1 && strings.ContainsAny(digits[:1], "+-") && strings.Trim(digits[1:], "0123456789") == "":
		return datum{}, true, &fault{"22003", "value " + quoted(value) + " is out of range for type " + k.name}
	}
	return datum{}, true, k.invalid(value)
}

// newerNotation reports whether a number may be one to newer servers, which
// know other bases and underscores.
func newerNotation(word string) bool {
	word = strings.TrimLeft(word, "+-")
	return len(word) > 1 && word[0] == '0' && strings.IndexByte("xXoObB", word[1]) >= 0 || strings.Contains(word, "_")
}

// special reads the words that stand for numbers: 2 and -2 are the infinities,
// 3 is NaN.
func special(word string) (sign int8, ok bool) {
	word = strings.ToLower(word)
	switch strings.TrimLeft(word, "+-") {
	case "nan":
		return 3, word == "nan"
	case "inf", "infinity":
		switch word[0] {
		case '-':
			return -2, !strings.HasPrefix(word, "--") && !strings.HasPrefix(word, "-+")
		case '+':
			return 2, !strings.HasPrefix(word, "++") && !strings.HasPrefix(word, "+-")
		}
		return 2, true
	}
	return 0, false
}

func (k kind) readFloat(value []byte) (datum, bool, *fault) {
	word := string(trimmed(value))
	if sign, ok := special(word); ok {
		f := math.NaN()
		if sign != 3 {
			f = math.Inf(int(sign))
		}
		return datum{float: f}, true, nil
	}
	if strings.ContainsAny(word, "xX_()") {
		return datum{}, false, nil
	}
	if strings.Trim(word, "0123456789+-.eE") != "" {
		return datum{}, true, k.invalid(value)
	}
	f, err := strconv.ParseFloat(word, k.bits)
	mantissa, _, _ := strings.Cut(strings.ToLower(word), "e")
	switch {
	case err != nil && !math.IsInf(f, 0):
		return datum{}, true, k.invalid(value)
	case err != nil, f == 0 && strings.ContainsAny(mantissa, "123456789"):
		return datum{}, false, nil // out of range, upwards or downwards
	}
	return datum{float: f}, true, nil
}

// readBoolean reads the words for true and false, which may be cut short as
// long as they can be told apart.
func (k kind) readBoolean(value []byte) (datum, bool, *fault) {
	word := strings.ToLower(string(trimmed(value)))
	short := func(long string, atLeast int) bool { return len(word) >= atLeast && strings.HasPrefix(long, word) }
	switch {
	case short("true", 1), short("yes", 1), word == "on", word == "1":
		return datum{num: 1}, true, nil
	case short("false", 1), short("no", 1), short("off", 2), word == "0":
		return datum{}, true, nil
	}
	return datum{}, true, k.invalid(value)
}

// readUUID reads 32 hex digits, of which each four may be followed by a hyphen,
// and all may stand in braces, into the form that PostgreSQL writes.
func (k kind) readUUID(value []byte) (datum, bool, *fault) {
	rest, braced := bytes.CutPrefix(value, []byte("{"))
	out := make([]byte, 0, 36)
	for i := range 32 {
		if len(rest) == 0 {
			return datum{}, true, k.invalid(value)
		}
		c := rest[0]
		if 'A' <= c && c <= 'F' {
			c += 'a' - 'A'
		}
		if !isHex(c) {
			return datum{}, true, k.invalid(value)
		}
		if i == 8 || i == 12 || i == 16 || i == 20 {
			out = append(out, '-')
		}
		out, rest = append(out, c), rest[1:]
		if i%4 == 3 && i < 31 {
			rest = bytes.TrimPrefix(rest, []byte("-"))
		}
	}
	if braced && string(rest) != "}" || !braced && len(rest) > 0 {
		return datum{}, true, k.invalid(value)
	}
	return datum{text: out}, true, nil
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

// readBytea reads bytes as hex digits. With \x in front that is what they are
// to PostgreSQL, and how it writes them; without, they are what the reference
// compares with the digits as they are.
func (k kind) readBytea(value []byte) (datum, bool, *fault) {
	digits, ok := bytes.CutPrefix(value, []byte(`\x`))
	switch {
	case !ok && bytes.IndexByte(value, '\\') >= 0:
		return datum{}, false, nil
	case !ok:
		return datum{text: value}, true, nil
	}
	lower := true
	for _, c := range digits {
		if 'A' <= c && c <= 'F' {
			lower = false
		} else if !isHex(c) {
			return datum{}, false, nil // blanks are allowed between bytes
		}
	}
	if !lower {
		digits = bytes.ToLower(digits)
	}
	return datum{text: digits}, len(digits)%2 == 0, nil
}

// compare returns the order of two values of the same class.
func (k kind) compare(a, b *datum) int {
	switch k.class {
	case float:
		// NaN equals itself and is above all others.
		if math.IsNaN(a.float) || math.IsNaN(b.float) {
			return cmp.Compare(boolToInt(math.IsNaN(a.float)), boolToInt(math.IsNaN(b.float)))
		}
		return cmp.Compare(a.float, b.float)
	case numeric:
		return compareDecimals(a, b)
	case text, padded, uuid, bytea:
		return bytes.Compare(a.text, b.text)
	}
	return cmp.Compare(a.num, b.num)
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// appendKey appends bytes that are equal for equal values of the class.
func (k kind) appendKey(dst []byte, d *datum) []byte {
	switch k.class {
	case float:
		f := d.float
		switch {
		case f == 0:
			f = 0 // one zero
		case math.IsNaN(f):
			f = math.NaN()
		}
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
	case numeric:
		dst = append(dst, byte(d.sign))
		return append(binary.BigEndian.AppendUint64(dst, uint64(d.num)), d.text...)
	case text, padded, uuid, bytea:
		return append(dst, d.text...)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(d.num))
}

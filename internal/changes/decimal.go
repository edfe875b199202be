package changes

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
)

// maxExponent is the largest exponent of a decimal that is read here. Others
// may be beyond what numeric holds, which PostgreSQL knows.
const maxExponent = 1000

// readNumeric reads a decimal number exactly: sign is -1, 0 or 1, or as special
// says; the value is 0.DIGITS × 10^num, of which DIGITS, the text, neither begin
// nor end with a zero.
func (k kind) readNumeric(value []byte) (datum, bool, *fault) {
	word := string(trimmed(value))
	if sign, ok := special(word); ok {
		return datum{sign: sign}, true, nil
	}
	d := datum{sign: 1}
	rest := word
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		if rest[0] == '-' {
			d.sign = -1
		}
		rest = rest[1:]
	}
	mantissa, exponent, hasExponent := cutExponent(rest)
	whole, fraction, _ := strings.Cut(mantissa, ".")
	switch {
	case newerNotation(word):
		return datum{}, false, nil
	case whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "":
		return datum{}, true, k.invalid(value)
	}
	if hasExponent {
		n, err := strconv.ParseInt(exponent, 10, 32)
		switch {
		case err != nil && strings.Trim(strings.TrimLeft(exponent, "+-"), "0123456789") != "", exponent == "":
			return datum{}, true, k.invalid(value)
		case err != nil || n > maxExponent || n < -maxExponent:
			return datum{}, false, nil
		}
		d.num = n
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	d.num += int64(len(whole)) - int64(len(whole)+len(fraction)-len(digits))
	d.text = []byte(strings.TrimRight(digits, "0"))
	if len(d.text) == 0 {
		return datum{}, true, nil
	}
	return d, true, nil
}

func cutExponent(s string) (mantissa, exponent string, ok bool) {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func compareDecimals(a, b *datum) int {
	if a.sign != b.sign {
		return cmp.Compare(a.sign, b.sign)
	}
	larger := cmp.Compare(a.num, b.num)
	if larger == 0 {
		larger = bytes.Compare(a.text, b.text)
	}
	if a.sign < 0 {
		return -larger
	}
	return larger
}

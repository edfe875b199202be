package music

import (
	"errors"
	"strconv"
	"strings"
)

// Numbers on the wire are decimal and in the units that people and browsers use
// (milliseconds, beats, beats per minute). Here they are whole numbers of a small
// unit, and they are read and written digit by digit: what one node writes, the
// next reads exactly, where a float would have 0.2 microseconds of grain at
// today's Unix times.

var errNotNumber = errors.New("is not a number")

var errTooLarge = errors.New("is out of range")

// fixed writes v/10^digits as a JSON number without needless zeros.
func fixed(v int64, digits int) []byte {
	var dst []byte
	magnitude := uint64(v)
	if v < 0 {
		dst, magnitude = append(dst, '-'), -magnitude
	}
	text := strconv.FormatUint(magnitude, 10)
	if len(text) <= digits {
		text = strings.Repeat("0", digits-len(text)+1) + text
	}
	whole, fraction := text[:len(text)-digits], text[len(text)-digits:]
	dst = append(dst, whole...)
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		dst = append(append(dst, '.'), fraction...)
	}
	return dst
}

// maxNumber is the longest number that is read, bytes. JavaScript writes 25.
const maxNumber = 64

// parseFixed reads a JSON number as a multiple of 10^-digits, rounded half away
// from zero. Its magnitude is at most limit.
func parseFixed(text string, digits int, limit int64) (int64, error) {
	if len(text) > maxNumber {
		return 0, errTooLarge
	}
	rest, negative := strings.CutPrefix(text, "-")
	mantissa, exponent := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil {
			return 0, errNotNumber
		}
		mantissa, exponent = rest[:i], n
	}
	whole, fraction, dotted := strings.Cut(mantissa, ".")
	if !decimal(whole) || dotted && !decimal(fraction) {
		return 0, errNotNumber
	}
	// Numbers of some hundred digits are far out of any range, on either side.
	exponent = max(-1000, min(exponent, 1000))
	v, ok := scale(whole+fraction, len(whole)+exponent+digits, limit)
	if !ok {
		return 0, errTooLarge
	}
	if negative {
		v = -v
	}
	return v, nil
}

// decimal reports whether text is digits, and some.
func decimal(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// scale reads the first n digits, with zeros for those that are not there, and
// rounds by the digit after them. It reports whether that is limit at most.
func scale(digits string, n int, limit int64) (v int64, ok bool) {
	if strings.Trim(digits, "0") == "" {
		return 0, true
	}
	for i := range max(n, 0) {
		var d int64
		if i < len(digits) {
			d = int64(digits[i] - '0')
		}
		if v > (limit-d)/10 {
			return 0, false
		}
		v = v*10 + d
	}
	if n >= 0 && n < len(digits) && digits[n] >= '5' {
		v++
	}
	return v, v <= limit
}

package phoenix

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte { return appendQuoted(dst, s) }

func appendQuoted[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// appendEscaped appends s as it stands between the quotes of a JSON string.
func appendEscaped[S string | []byte](dst []byte, s S) []byte {
	const hex = "0123456789abcdef"
	done := 0 // s[:done] has been appended
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			// A few bytes only, so that the conversion stays on the stack.
			r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[done:i]...), "\uFFFD"...)
				done = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[done:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		done = i
	}
	return append(dst, s[done:]...)
}

// Unquote returns the string that raw, one JSON string and nothing around it,
// stands for. Halves of surrogate pairs that stand alone become U+FFFD.
func Unquote(raw []byte) (string, bool) {
	s := scanner{data: raw}
	if s.peek() != '"' || !s.str() || s.pos != len(raw) {
		return "", false
	}
	return string(unquoted(raw)), true
}

// unquoted returns the content of the valid JSON string raw: a part of raw, or
// a copy if there are escapes in it.
func unquoted(raw []byte) []byte {
	raw = raw[1 : len(raw)-1 : len(raw)-1]
	slash := bytes.IndexByte(raw, '\\')
	if slash < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for slash >= 0 {
		out = append(out, raw[:slash]...)
		out, raw = unescape(out, raw[slash+1:])
		slash = bytes.IndexByte(raw, '\\')
	}
	return append(out, raw...)
}

// unescape appends what the valid escape sequence at the start of raw, without
// its backslash, stands for, and returns what follows it.
func unescape(out, raw []byte) (appended, rest []byte) {
	c := raw[0]
	switch c {
	case 'u':
		r, _ := hex4(raw[1:])
		raw = raw[5:]
		if !utf16.IsSurrogate(r) {
			return utf8.AppendRune(out, r), raw
		}
		if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
			low, _ := hex4(raw[2:])
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(out, pair), raw[6:]
			}
		}
		return utf8.AppendRune(out, utf8.RuneError), raw
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	}
	return append(out, c), raw[1:]
}

package changes

import (
	"regexp"
	"strings"
)

// compilePattern returns Go's form of a regular expression of PostgreSQL, or nil
// when the two might not mean the same: what is left is letters and digits,
// blanks, the dot, anchors at the ends, groups, alternatives, single
// quantifiers, sets of ASCII letters and digits, and escaped punctuation.
func compilePattern(pattern string, fold bool) *regexp.Regexp {
	before := start
	for rest := pattern; rest != ""; {
		n, ok := 0, false
		if n, before, ok = cutToken(rest, before, len(rest) == len(pattern)); !ok {
			return nil
		}
		rest = rest[n:]
	}
	if strings.HasSuffix(pattern, "|") {
		return nil
	}
	flags := "(?s)"
	if fold {
		flags = "(?si)"
	}
	compiled, err := regexp.Compile(flags + pattern)
	if err != nil {
		return nil
	}
	return compiled
}

// A token is what stands before a place in a regular expression.
type token uint8

const (
	start      token = iota // of an expression, group or branch: there is nothing to repeat
	atom                    // may be repeated
	quantifier              // may not be repeated again
)

// cutToken returns the length of the token at the start of rest and what it is,
// given what stands before it. It is not ok if its meaning is not certain.
func cutToken(rest string, before token, first bool) (n int, t token, ok bool) {
	c := rest[0]
	switch {
	case isWord(c) || strings.IndexByte(". ,:;=@/_-<>&%#!~'\"", c) >= 0:
		return 1, atom, true
	case c == '*' || c == '+' || c == '?':
		return 1, quantifier, before == atom
	case c == '^':
		return 1, start, first
	case c == '$':
		return 1, quantifier, len(rest) == 1 && (first || before != start)
	case c == '\\':
		return 2, atom, len(rest) > 1 && strings.IndexByte(`.*+?()[]{}|^$\/-`, rest[1]) >= 0
	case c == '[':
		end := setEnd(rest)
		return end + 1, atom, end > 0
	case c == '(':
		return 1, start, true
	case c == ')':
		return 1, atom, before != start // empty branches are left to PostgreSQL
	case c == '|':
		return 1, start, before != start
	}
	return 0, start, false
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// setEnd returns where the set of characters at the start of s ends, or -1 when
// there is more in it than ASCII letters, digits and ranges of them.
func setEnd(s string) int {
	i := 1
	if strings.HasPrefix(s[i:], "^") {
		i++
	}
	for first := i; i < len(s); i++ {
		switch {
		case s[i] == ']' && i > first:
			return i
		case !isWord(s[i]):
			return -1
		case i+2 < len(s) && s[i+1] == '-':
			if !isWord(s[i+2]) || s[i+2] < s[i] || (s[i]|32 < 'a') != (s[i+2]|32 < 'a') || s[i]&32 != s[i+2]&32 {
				return -1
			}
			i += 2
		}
	}
	return -1
}

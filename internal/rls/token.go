package rls

import "strings"

// A tokenKind is what a token is.
type tokenKind uint8

const (
	tokenEnd      tokenKind = iota
	tokenWord               // keyword or unquoted name, in lower case
	tokenName               // quoted name
	tokenString             // content of a literal
	tokenInteger            // digits
	tokenOperator           // such as = or ->>
	tokenMark               // ( ) [ ] , . ; ::
)

// A token is a piece of SQL. from and to are where it stands in the source.
type token struct {
	kind     tokenKind
	text     string
	from, to int
	lower    bool // of a word: as it stands in the source
}

// is reports whether the token is this keyword, operator or mark.
func (t token) is(kind tokenKind, text string) bool { return t.kind == kind && t.text == text }

const (
	maxSource = 64 << 10 // bytes; a longer policy is nothing for us
	operators = "+-*/<>=~!@#%^&|`?"
)

// A lexer cuts SQL into tokens, as far as it is SQL that we know.
type lexer struct {
	source string
	at     int
	tokens []token
}

// tokenize returns the tokens of source, closed by a tokenEnd. Refused are
// numbers with a fraction, literals other than plain '…' without a backslash
// (whose meaning depends on a setting), names outside of ASCII without quotes
// (whose lower case depends on the locale), dollar quotes and parameters.
//
// Specification: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
func tokenize(source string) ([]token, bool) {
	if len(source) > maxSource || strings.IndexByte(source, 0) >= 0 {
		return nil, false
	}
	l := &lexer{source: source}
	for {
		if !l.blank() {
			return nil, false
		}
		if l.at == len(source) {
			l.add(tokenEnd, "", l.at)
			return l.tokens, true
		}
		if !l.next() {
			return nil, false
		}
	}
}

// add appends the token that ends at to.
func (l *lexer) add(kind tokenKind, text string, to int) bool {
	lower := kind != tokenWord || text == l.source[l.at:to]
	l.tokens = append(l.tokens, token{kind: kind, text: text, from: l.at, to: to, lower: lower})
	l.at = to
	return true
}

// blank skips white space and comments, and is false in an unclosed comment.
func (l *lexer) blank() bool {
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		switch {
		case strings.IndexByte(" \t\n\r\f\v", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "--"):
			if end := strings.IndexAny(rest, "\r\n"); end >= 0 {
				l.at += end
			} else {
				l.at = len(l.source)
			}
		case strings.HasPrefix(rest, "/*"):
			if !l.comment() {
				return false
			}
		default:
			return true
		}
	}
	return true
}

// comment skips a comment, in which there may be others.
func (l *lexer) comment() bool {
	for depth := 0; l.at < len(l.source); {
		switch rest := l.source[l.at:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.at += 2
			if depth == 0 {
				return true
			}
		default:
			l.at++
		}
	}
	return false
}

func (l *lexer) next() bool {
	rest := l.source[l.at:]
	switch c := rest[0]; {
	case isLetter(c):
		return l.word()
	case isDigit(c):
		n := 1
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n < len(rest) && (isLetter(rest[n]) || rest[n] == '.') {
			return false
		}
		return l.add(tokenInteger, rest[:n], l.at+n)
	case c == '\'':
		text, n := quoted(rest)
		if n == 0 || strings.IndexByte(text, '\\') >= 0 {
			return false
		}
		return l.add(tokenString, text, l.at+n)
	case c == '"':
		text, n := quoted(rest)
		return n > 0 && text != "" && l.add(tokenName, text, l.at+n)
	case strings.HasPrefix(rest, "::"):
		return l.add(tokenMark, "::", l.at+2)
	case strings.IndexByte("()[],.;", c) >= 0:
		return l.add(tokenMark, rest[:1], l.at+1)
	}
	return l.operator()
}

// word reads an unquoted word, which is no prefix of a literal such as E'…'.
func (l *lexer) word() bool {
	rest := l.source[l.at:]
	n := 1
	for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n])) {
		n++
	}
	if n < len(rest) && (rest[n] == '\'' || rest[n] == '"' || rest[n] == '&' || rest[n] == '$' || rest[n] >= 0x80) {
		return false
	}
	return l.add(tokenWord, strings.ToLower(rest[:n]), l.at+n)
}

// operator reads as many characters of operators as there are, up to a comment.
func (l *lexer) operator() bool {
	rest := l.source[l.at:]
	n := 0
	for n < len(rest) && strings.IndexByte(operators, rest[n]) >= 0 &&
		!strings.HasPrefix(rest[n:], "--") && !strings.HasPrefix(rest[n:], "/*") {
		n++
	}
	return n > 0 && l.add(tokenOperator, rest[:n], l.at+n)
}

// quoted returns the content of the literal or name that text begins with, and
// its length with the quotes, 0 when it is not closed.
func quoted(text string) (content string, n int) {
	quote := text[0]
	for n = 1; n < len(text); n++ {
		if text[n] != quote {
			continue
		}
		if n+1 == len(text) || text[n+1] != quote {
			pair := text[:1]
			return strings.ReplaceAll(text[1:n], pair+pair, pair), n + 1
		}
		n++
	}
	return "", 0
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

package changes

import (
	"bytes"
	"unicode/utf8"
)

// A likePattern is a pattern of LIKE, cut at its percent signs: a value matches
// when it begins with the first piece, ends with the last, and has the others
// in this order between. With one piece the value is that piece.
type likePattern struct {
	pieces []likePiece
	fold   bool // ILIKE: of ASCII letters, all else being PostgreSQL's affair
	ascii  bool // no other characters in the pattern
}

// A likePiece is characters, of which zero stands for any one. PostgreSQL's
// texts have no zeros in them.
type likePiece struct {
	runes   []rune
	literal []byte // the piece, when there is no "any one" in it
}

// maxLikeWork bounds the characters compared for a value and a pattern.
const maxLikeWork = 1 << 22

// compileLike reads a pattern. It fails when an escape stands at the end, which
// PostgreSQL finds out only while matching.
func compileLike(pattern string, fold bool) (*likePattern, bool) {
	p := &likePattern{fold: fold, ascii: true}
	if fold {
		pattern = string(lowerASCII([]byte(pattern)))
	}
	piece := likePiece{}
	escaped := false
	for _, r := range pattern {
		p.ascii = p.ascii && r < utf8.RuneSelf
		switch {
		case escaped:
			piece.runes, escaped = append(piece.runes, r), false
		case r == '\\':
			escaped = true
		case r == '_':
			piece.runes = append(piece.runes, 0)
		case r == '%':
			p.add(piece)
			piece = likePiece{}
		default:
			piece.runes = append(piece.runes, r)
		}
	}
	p.add(piece)
	return p, !escaped
}

func (p *likePattern) add(piece likePiece) {
	literal := []byte{}
	for _, r := range piece.runes {
		if r == 0 {
			literal = nil
			break
		}
		literal = utf8.AppendRune(literal, r)
	}
	piece.literal = literal
	p.pieces = append(p.pieces, piece)
}

func lowerASCII(s []byte) []byte {
	out := make([]byte, len(s))
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

// match reports whether a value matches. It is not known here when letters
// beyond ASCII are to be folded by rules other than bytes', and when it would
// take long.
func (p *likePattern) match(value []byte, c Collation) (matched, known bool) {
	if p.fold {
		if c != ByteOrder && (!p.ascii || !isASCII(value)) {
			return false, false
		}
		value = lowerASCII(value)
	}
	first, last := p.pieces[0], p.pieces[len(p.pieces)-1]
	n, ok := first.prefix(value)
	if !ok || len(p.pieces) == 1 {
		return ok && n == len(value), true
	}
	value = value[n:]
	start, ok := last.suffix(value)
	if !ok {
		return false, true
	}
	value = value[:start]
	for _, piece := range p.pieces[1 : len(p.pieces)-1] {
		if piece.literal == nil && len(piece.runes)*len(value) > maxLikeWork {
			return false, false
		}
		end, ok := piece.find(value)
		if !ok {
			return false, true
		}
		value = value[end:]
	}
	return true, true
}

func isASCII(s []byte) bool {
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// prefix returns how many bytes of the value the piece takes at its start.
func (p likePiece) prefix(value []byte) (n int, ok bool) {
	if p.literal != nil {
		return len(p.literal), bytes.HasPrefix(value, p.literal)
	}
	for _, want := range p.runes {
		if n == len(value) {
			return 0, false
		}
		r, size := utf8.DecodeRune(value[n:])
		if want != 0 && want != r {
			return 0, false
		}
		n += size
	}
	return n, true
}

// suffix returns where the piece begins at the end of the value.
func (p likePiece) suffix(value []byte) (start int, ok bool) {
	if p.literal != nil {
		return len(value) - len(p.literal), bytes.HasSuffix(value, p.literal)
	}
	start = len(value)
	for range p.runes {
		if start == 0 {
			return 0, false
		}
		_, size := utf8.DecodeLastRune(value[:start])
		start -= size
	}
	_, ok = p.prefix(value[start:])
	return start, ok
}

// find returns the end of the piece's first place in the value.
func (p likePiece) find(value []byte) (end int, ok bool) {
	if p.literal != nil {
		at := bytes.Index(value, p.literal)
		return at + len(p.literal), at >= 0
	}
	for at := 0; ; {
		if n, ok := p.prefix(value[at:]); ok {
			return at + n, true
		}
		if at == len(value) {
			return 0, false
		}
		_, size := utf8.DecodeRune(value[at:])
		at += size
	}
}

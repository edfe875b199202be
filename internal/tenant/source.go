package tenant

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// A source is the text of a YAML file and what is to be changed in it. Edits are
// of bytes, so that all that nobody touches stays as it was written.
type source struct {
	raw      []byte
	lines    []int       // where each line begins, and the end of the text
	comments map[int]int // line to where a comment begins behind something else
	edits    []edit
	carriage bool // the lines of the file end in "\r\n"; here they do not
}

// An edit puts text in the place of raw[from:to].
type edit struct {
	from, to int
	text     string
}

// newSource takes a text that has been parsed without an error.
func newSource(raw []byte) *source {
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		raw = append(slices.Clip(raw), '\n')
	}
	s := &source{raw: raw, comments: make(map[int]int)}
	for at := 0; at < len(raw); {
		s.lines = append(s.lines, at)
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			break
		}
		at += end + 1
	}
	s.lines = append(s.lines, len(raw))
	last := 0
	for _, t := range lexer.Tokenize(string(raw)) {
		if t.Type == token.CommentType && t.Position.Line == last {
			s.comments[last-1] = s.at(t)
		}
		last = t.Position.Line
	}
	return s
}

// withoutCarriage returns a text whose lines end in "\n" only, and whether all of
// them ended in "\r\n". The parser loses count of columns and lines otherwise.
func withoutCarriage(raw []byte) ([]byte, bool) {
	ends := bytes.Count(raw, []byte("\r\n"))
	if ends == 0 || ends != bytes.Count(raw, []byte("\n")) {
		return raw, false
	}
	return bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), true
}

// The numbers of lines begin with 0 here; those of tokens begin with 1.

func (s *source) count() int { return len(s.lines) - 1 }

// line returns a line without its end; there is none beyond the text.
func (s *source) line(n int) string {
	if n < 0 || n >= s.count() {
		return ""
	}
	return strings.TrimRight(string(s.raw[s.lines[n]:s.lines[n+1]]), "\r\n")
}

// start returns where a line begins, or the end of the text.
func (s *source) start(n int) int { return s.lines[min(max(n, 0), s.count())] }

// at returns where a token begins. Its column counts runes; one beyond its line,
// which a strange file can have, is taken for the end of the line.
func (s *source) at(t *token.Token) int {
	from, text := s.start(row(t)), s.line(row(t))
	for range t.Position.Column - 1 {
		if text == "" {
			break
		}
		_, size := utf8.DecodeRuneInString(text)
		from, text = from+size, text[size:]
	}
	return from
}

// row returns the line in which a token begins.
func row(t *token.Token) int { return t.Position.Line - 1 }

// column returns how many columns stand before a token.
func column(t *token.Token) int { return max(t.Position.Column-1, 0) }

// trim returns the end of the lines from first to end without what belongs to
// what follows: blank lines, and comments that are not indented further than the
// thing itself. The first line always counts.
func (s *source) trim(first, end, indent int) int {
	for end > first+1 {
		text := strings.TrimLeft(s.line(end-1), " ")
		outside := len(s.line(end-1))-len(text) <= indent
		comment := strings.HasPrefix(text, "#") || text == "..." || text == "---"
		if strings.TrimSpace(text) != "" && (!comment || !outside) {
			break
		}
		end--
	}
	return end
}

// comment returns the comment behind something in a line, with the space before
// it, or "".
func (s *source) comment(line int) string {
	at, ok := s.comments[line]
	if !ok {
		return ""
	}
	text := s.line(line)[:at-s.start(line)]
	spaces := len(text) - len(strings.TrimRight(text, " \t"))
	return s.line(line)[at-s.start(line)-spaces:]
}

// replace notes an edit.
func (s *source) replace(from, to int, text string) {
	s.edits = append(s.edits, edit{from, to, text})
}

// replaceLines notes that text, whole lines, takes the place of some lines.
func (s *source) replaceLines(first, end int, text string) {
	s.replace(s.start(first), s.start(end), text)
}

// result returns the text with all edits made; false when they overlap.
func (s *source) result() ([]byte, bool) {
	slices.SortStableFunc(s.edits, func(a, b edit) int { return a.from - b.from })
	var out []byte
	done := 0
	for _, e := range s.edits {
		if e.from < done || e.to < e.from {
			return nil, false
		}
		out = append(append(out, s.raw[done:e.from]...), e.text...)
		done = e.to
	}
	out = append(out, s.raw[done:]...)
	if s.carriage {
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
	}
	return out, true
}

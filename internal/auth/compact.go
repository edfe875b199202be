package auth

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxToken is the length in bytes of the longest token that is looked at. The
// request line of a handshake holds 8000 bytes; a frame could hold megabytes.
const maxToken = 64 << 10

// A compact is a token taken apart, not yet believed (RFC 7515 §7.1).
type compact struct {
	alg       string // "" when the header has none
	kid       string
	hasKID    bool   // the header has a kid that is a string
	input     string // what was signed: header and claims, still encoded
	signature []byte
	claims    map[string]json.RawMessage
	raw       json.RawMessage // the claims as they stood in the token
}

// clean decodes percent escapes and then removes white space: tokens come in
// query strings and out of files with line ends.
func clean(raw string) (text string, ok bool) {
	if len(raw) > maxToken {
		return "", false
	}
	text, err := url.PathUnescape(raw)
	if err != nil {
		return "", false
	}
	return strings.Map(dropSpace, text), true
}

func dropSpace(r rune) rune {
	switch r {
	case ' ', '\t', '\n', '\v', '\f', '\r':
		return -1
	}
	return r
}

// parseCompact takes a clean token apart. A header with "crit" is refused, for
// no extension is understood here (RFC 7515 §4.1.11).
func parseCompact(text string) (*compact, bool) {
	head, rest, _ := strings.Cut(text, ".")
	body, tail, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, false
	}
	_, header, ok := decodeObject(head)
	if _, critical := header["crit"]; !ok || critical {
		return nil, false
	}
	c := &compact{input: text[:len(head)+1+len(body)]}
	if c.raw, c.claims, ok = decodeObject(body); !ok {
		return nil, false
	}
	var err error
	if c.signature, err = base64.RawURLEncoding.Strict().DecodeString(tail); err != nil {
		return nil, false
	}
	c.alg, _ = stringOf(header["alg"])
	c.kid, c.hasKID = stringOf(header["kid"])
	return c, true
}

// decodeObject decodes one part of a token that must be a JSON object, to its
// text and its members. Names are matched exactly; of equal names the last
// counts. A "." is no letter of base64url, so a fourth part fails here.
func decodeObject(part string) (json.RawMessage, map[string]json.RawMessage, bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || !utf8.Valid(text) {
		return nil, nil, false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil || members == nil {
		return nil, nil, false // members is nil after "null"
	}
	return text, members, true
}

// stringOf returns the string that a JSON value is, if it is one.
func stringOf(value json.RawMessage) (s string, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	err := json.Unmarshal(value, &s)
	return s, err == nil
}

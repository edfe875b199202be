// Package explain knows the codes of errors: what each means, why it comes and what
// cures it. The reference in docs/errors.md and `tutti explain` are made of it. Its
// test finds every code in the server's source, so that none is missing.
package explain

import (
	"slices"
	"strings"
)

// A Place is where a code is seen.
type Place string

// The places, in the order in which they are explained.
const (
	Connection Place = "connection" // the answer to a WebSocket's handshake
	Join       Place = "join"       // the reply to phx_join
	Channel    Place = "channel"    // a message to a channel that is open
	Changes    Place = "changes"    // a system message about rows
	HTTP       Place = "HTTP"       // the answer to a request
	Database   Place = "database"   // the log, and `tutti doctor`
	Node       Place = "node"       // the log of a node
	Extension  Place = "extension"  // rooms of extensions
	Music      Place = "music"      // the event refused in a music room
	Dev        Place = "dev"        // `tutti dev`, when it starts
)

// An Entry explains a code.
type Entry struct {
	Code   string  `json:"code"`
	Seen   []Place `json:"seen"`             // never empty
	Status int     `json:"status,omitempty"` // of the HTTP answer, where there is one
	Text   string  `json:"text,omitempty"`   // what is shown, where the code itself is not
	Cause  string  `json:"cause"`            // as a sentence without a full stop
	Cure   string  `json:"cure,omitempty"`   // likewise; none is needed where it is empty
}

// All returns all entries, in the order of their codes.
func All() []Entry {
	var all []Entry
	for _, some := range [][]Entry{clients, databases, defects, nodes, extensions, console, development} {
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return strings.Compare(strings.ToLower(a.Code), strings.ToLower(b.Code))
	})
	return all
}

// Find returns the entry of a code, whatever the case of its letters, and whether
// there is one. What follows the code, as in a message, does not disturb.
func Find(code string) (Entry, bool) {
	code, _, _ = strings.Cut(strings.TrimSpace(code), ":")
	for _, e := range All() {
		if strings.EqualFold(e.Code, code) {
			return e, true
		}
	}
	return Entry{}, false
}

// Near returns the codes that contain a word, for somebody who does not know them.
func Near(word string) []string {
	var codes []string
	word = strings.ToLower(strings.TrimSpace(word))
	for _, e := range All() {
		if word != "" && strings.Contains(strings.ToLower(e.Code+" "+e.Cause+" "+e.Text), word) {
			codes = append(codes, e.Code)
		}
	}
	return codes
}

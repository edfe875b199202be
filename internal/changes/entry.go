package changes

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// An Entry is one element of a join's postgres_changes.
type Entry struct {
	Raw []byte // a JSON object, as the client wrote it
	ID  uint32 // by which the client recognises its changes; see ID
}

// Entries reads the raw value of postgres_changes, which must be valid JSON.
// Nulls in it are passed over, and null is an empty list. The entries hold
// nothing of raw. The error is a *tutti.Error. Protocol, sections 3.2 and 3.5.
func Entries(raw []byte) ([]Entry, error) {
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" {
		return nil, nil
	}
	if len(raw) == 0 || raw[0] != '[' {
		return nil, &tutti.Error{Code: tutti.UnknownErrorOnChannel, Reason: "`config.postgres_changes` must be a list of JSON objects"}
	}
	var entries []Entry
	for value := range phoenix.Elements(raw) {
		switch {
		case string(value) == "null":
			continue
		case value[0] != '{':
			return nil, &tutti.Error{Code: tutti.UnknownErrorOnChannel, Reason: "each entry of `config.postgres_changes` must be a JSON object"}
		}
		entries = append(entries, Entry{Raw: bytes.Clone(value), ID: ID(value)})
	}
	return entries, nil
}

// Implied returns the entry that a join of the old kind means, which has no
// config and whose topic, name without its "realtime:", is
// schema[:table[:filter]]. Protocol, section 3.4.
func Implied(name string) Entry {
	raw := []byte{'{'}
	for i, part := range strings.SplitN(name, ":", 3) {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, [...]string{`"schema":`, `"table":`, `"filter":`}[i]...)
		raw = phoenix.AppendString(raw, part)
	}
	raw = append(raw, '}')
	return Entry{Raw: raw, ID: ID(raw)}
}

// AppendResponse appends the response of a join: an object whose
// postgres_changes are the entries as they came, each with its id added.
// Clients compare them with what they sent, so not a byte is changed.
func AppendResponse(dst []byte, entries []Entry) []byte {
	dst = append(dst, `{"postgres_changes":[`...)
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		body := bytes.TrimRight(bytes.TrimSuffix(e.Raw, []byte("}")), " \t\r\n")
		dst = append(dst, body...)
		if len(body) > 1 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"id":`...)
		dst = append(strconv.AppendUint(dst, uint64(e.ID), 10), '}')
	}
	return append(dst, `]}`...)
}

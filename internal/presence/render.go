package presence

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// The shapes are those of Phoenix Presence: protocol reference 6.2.
//
// A meta begins with what the server sets, always in the same places, so that
// its ref and the tracked members can be read back from it by position and
// need not be stored a second time:
//
//	{"phx_ref":"0123456789abcdef","phx_ref_prev":"0123456789abcdef","name":"Ann"}
const (
	refOpen  = `{"phx_ref":"`
	prevOpen = `","phx_ref_prev":"`
	refSize  = 16
)

// newRef returns a ref that nobody has and nobody can guess: 12 random bytes in
// URL-safe base64, the form clients know from the reference server.
func newRef() string {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:8], rand.Uint64())
	binary.LittleEndian.PutUint32(b[8:], rand.Uint32())
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// render returns the meta of a tracked object: its ref, the ref it updates ("" for
// none), and its members as members returned them.
func render(ref, prev string, members []byte) []byte {
	size := len(refOpen) + refSize + len(`",}`) + len(members)
	if prev != "" {
		size += len(prevOpen) + refSize
	}
	b := append(make([]byte, 0, size), refOpen...)
	b = append(b, ref...)
	if prev != "" {
		b = append(b, prevOpen...)
		b = append(b, prev...)
	}
	b = append(b, '"')
	if len(members) > 0 {
		b = append(b, ',')
		b = append(b, members...)
	}
	return append(b, '}')
}

// refOf returns the ref of a rendered meta.
func refOf(meta []byte) string { return string(meta[len(refOpen):][:refSize]) }

// membersOf returns the members that a meta was rendered with. A tracked
// phx_ref_prev cannot be mistaken for ours: members has taken it out.
func membersOf(meta []byte) []byte {
	rest := meta[len(refOpen)+refSize:]
	if bytes.HasPrefix(rest, []byte(prevOpen)) {
		rest = rest[len(prevOpen)+refSize:]
	}
	rest = rest[1 : len(rest)-1] // the quote that ends the ref, the brace that ends the object
	return bytes.TrimPrefix(rest, []byte(","))
}

// members returns what stands between the braces of a JSON object, byte for
// byte, except for phx_ref and phx_ref_prev: a client that chose them could
// remove or hide the presences of others. The result may alias the object. No
// object at all counts as an empty one.
func members(object []byte) []byte {
	object = trim(object)
	if len(object) < 2 || object[0] != '{' {
		return nil
	}
	// A name can be spelled with escapes, but only with \u ones.
	if bytes.Contains(object, []byte("phx_ref")) || bytes.Contains(object, []byte(`\u`)) {
		return strip(object)
	}
	return trim(object[1 : len(object)-1])
}

// strip is the thorough and slow half of members.
func strip(object []byte) []byte {
	kept := make([]byte, 0, len(object))
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token() // the opening brace, which members has seen
	for d.More() {
		start := d.InputOffset()
		name, err := d.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil
		}
		if name == "phx_ref" || name == "phx_ref_prev" {
			continue
		}
		if len(kept) > 0 {
			kept = append(kept, ',')
		}
		// Before the name stand only blanks and the comma.
		member := object[start:d.InputOffset()]
		kept = append(kept, member[bytes.IndexByte(member, '"'):]...)
	}
	return kept
}

// trim cuts the blanks of JSON from both ends.
func trim(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

// renderState returns the payload of presence_state.
func renderState(entries []Entry) []byte {
	return appendGroups(make([]byte, 0, sizeOf(entries)), entries)
}

// renderDiff returns the payload of presence_diff.
func renderDiff(d Diff) []byte {
	b := make([]byte, 0, len(`{"joins":,"leaves":}`)+sizeOf(d.Joins)+sizeOf(d.Leaves))
	b = append(b, `{"joins":`...)
	b = appendGroups(b, d.Joins)
	b = append(b, `,"leaves":`...)
	b = appendGroups(b, d.Leaves)
	return append(b, '}')
}

// sizeOf returns the bytes that appendGroups writes when no two entries share a
// key and no key needs escapes.
func sizeOf(entries []Entry) int {
	size := len(`{}`)
	for _, e := range entries {
		size += len(e.Key) + len(e.Meta) + len(`"":{"metas":[]},`)
	}
	return size
}

// appendGroups appends the metas by key, keys and metas in the order in which
// they first appear: {"ann":{"metas":[{…},{…}]},"bob":{"metas":[{…}]}}.
func appendGroups(dst []byte, entries []Entry) []byte {
	dst = append(dst, '{')
	next, first := chain(entries)
	comma := false
	for i := range entries {
		if !first[i] {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = phoenix.AppendString(dst, entries[i].Key)
		dst = append(dst, `:{"metas":[`...)
		dst = append(dst, entries[i].Meta...)
		for j := next[i]; j != 0; j = next[j] {
			dst = append(dst, ',')
			dst = append(dst, entries[j].Meta...)
		}
		dst = append(dst, `]}`...)
	}
	return append(dst, '}')
}

// chain links the entries of one key: next[i] is the index of the entry that
// follows entry i under its key, 0 for none, and first[i] says that none
// precedes it.
func chain(entries []Entry) (next []int, first []bool) {
	next, first = make([]int, len(entries)), make([]bool, len(entries))
	latest := make(map[string]int, len(entries))
	for i, e := range entries {
		if j, ok := latest[e.Key]; ok {
			next[j] = i
		} else {
			first[i] = true
		}
		latest[e.Key] = i
	}
	return next, first
}

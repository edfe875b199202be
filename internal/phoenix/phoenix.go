// Package phoenix knows the bytes of the Phoenix channel protocol as Supabase
// Realtime speaks it: version 1 (JSON objects), version 2 (JSON arrays) and the
// binary kinds 0, 3 and 4. It also reads the raw JSON that travels inside.
// internal/socket decodes with it, internal/channel and internal/hub encode.
// It is pure: it owns no goroutine, keeps no state and does no I/O.
//
// Specification: https://supabase.com/docs/guides/realtime/protocol
package phoenix

import "strings"

// A Version is the serializer that a socket chose when it connected.
type Version uint8

// The versions there are.
const (
	V1 Version = 1 // vsn=1.0.0: objects in text frames
	V2 Version = 2 // vsn=2.0.0: arrays in text frames, and binary frames
)

// ParseVersion reads the query parameter "vsn". An empty one means V1; else it
// must be a full version, 1.0.x or 2.0.x, with x a plain number.
func ParseVersion(vsn string) (Version, bool) {
	if vsn == "" {
		return V1, true
	}
	major, patch, ok := strings.Cut(vsn, ".0.")
	if !ok || !plainNumber(patch) {
		return 0, false
	}
	switch major {
	case "1":
		return V1, true
	case "2":
		return V2, true
	}
	return 0, false
}

// plainNumber reports whether s is decimal digits without a leading zero.
func plainNumber(s string) bool {
	if s == "" || s[0] == '0' && len(s) > 1 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// A Kind says in which form a message travelled.
type Kind uint8

// The kinds there are.
const (
	Text          Kind = iota // JSON: an object in V1, an array in V2
	Push                      // binary kind 0: any event, the payload is bytes
	UserBroadcast             // binary kind 3 from a client, kind 4 from the server
)

// The first byte of a binary frame.
const (
	kindPush          = 0
	kindUserPush      = 3
	kindUserBroadcast = 4
)

// An Encoding says what the payload of a user broadcast is.
type Encoding uint8

// The encodings there are.
const (
	EncodingBinary Encoding = 0 // any bytes
	EncodingJSON   Encoding = 1 // JSON text
)

// A Ref is a join_ref or a ref: a string, number, true or false as raw JSON,
// exactly as it was received, because clients compare what comes back with
// what they sent. Nil means null.
type Ref []byte

// maxRef is the longest Ref in bytes: what fits a binary frame, and its quotes.
// A ref is kept and echoed, so it must not be a place to store megabytes.
const maxRef = maxField + 2

// maxField is the longest field of a binary frame, whose length is one byte.
const maxField = 255

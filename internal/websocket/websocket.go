// Package websocket is RFC 6455 as bytes: frame headers, masks, fragments,
// control frames and close codes. It reads and writes no connection, owns no
// goroutine and keeps no buffer that a caller did not give it, except for
// a message that has arrived only in part. internal/socket feeds it what it
// read; the load generator uses it from the client's side.
package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
)

// An Opcode says what a frame is. RFC 6455, section 5.2.
type Opcode byte

// The opcodes in use.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// Control reports whether frames of this opcode may stand between the
// fragments of a message.
func (o Opcode) Control() bool { return o >= Close }

// A CloseError is the reason for which a connection must end. RFC 6455,
// section 7.4.
type CloseError struct {
	Code   int
	Reason string
}

// Error returns code and reason.
func (e *CloseError) Error() string { return fmt.Sprintf("websocket: close %d: %s", e.Code, e.Reason) }

// Close codes that the server uses.
const (
	CodeNormal    = 1000
	CodeGoingAway = 1001
	CodeProtocol  = 1002
	CodeTooBig    = 1009
	CodeInternal  = 1011
	CodeRestart   = 1012
	CodeTryLater  = 1013
	codeNoStatus  = 1005
	codeBadText   = 1007
)

// Accept returns the Sec-WebSocket-Accept of a Sec-WebSocket-Key. RFC 6455,
// section 4.2.2.
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// ValidKey reports whether a Sec-WebSocket-Key is 16 bytes in base64.
func ValidKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}

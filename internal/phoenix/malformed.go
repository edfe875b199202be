package phoenix

import "strconv"

// Codes of a MalformedError, as operators of Supabase Realtime know them from
// their logs.
const (
	CodeMalformed = "MalformedWebSocketMessage"
	CodeUnknown   = "UnknownErrorOnWebSocketMessage"
)

// A MalformedError says why a frame is not a message. It is for the log: the
// frame is dropped, the client hears nothing and the socket lives on. Cause
// never quotes the frame, which may hold a token.
type MalformedError struct {
	Code  string // CodeMalformed or CodeUnknown
	Cause string
}

// Error returns "Code: Cause".
func (e *MalformedError) Error() string { return e.Code + ": " + e.Cause }

func malformed(cause string) error {
	return &MalformedError{Code: CodeMalformed, Cause: cause}
}

func unknown(cause string) error {
	return &MalformedError{Code: CodeUnknown, Cause: cause}
}

// malformed tells what the scanner found, and where.
func (s *scanner) malformed() error {
	return malformed(s.fault + " at byte " + strconv.Itoa(s.pos))
}

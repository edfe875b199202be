package postmaster

import "strings"

// Codes of an Error.
const (
	PostgresMissing     = "PostgresMissing"     // no programs, and none could be fetched
	PostgresVersion     = "PostgresVersion"     // programs that do not fit the data or us
	PostgresUser        = "PostgresUser"        // no user to run as, or one without the rights
	PostgresFailed      = "PostgresFailed"      // a program of PostgreSQL gave up
	FolderInUse         = "FolderInUse"         // another process of ours has the folder
	PortInUse           = "PortInUse"           // somebody else listens on the port
	PlatformUnsupported = "PlatformUnsupported" // an operating system that we do not know
)

// An Error is a start that failed for a reason which the user can do something
// about.
type Error struct {
	Code  string // one of the codes above
	Cause string // what is wrong, as a sentence without a full stop
	Cure  string // what to do about it, likewise
	Err   error  // what lies beneath, or nil
}

// Error returns "Code: cause: what lies beneath; cure".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code + ": " + e.Cause)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Cure != "" {
		b.WriteString("; " + e.Cure)
	}
	return b.String()
}

// Unwrap returns what lies beneath.
func (e *Error) Unwrap() error { return e.Err }

var errUnsupported = &Error{
	Code:  PlatformUnsupported,
	Cause: "a private PostgreSQL needs Linux, macOS or another Unix",
	Cure:  "start a PostgreSQL yourself and give its address",
}

package music

import "fmt"

// A Refusal is the answer to a command that was not obeyed. Its sender sees it.
type Refusal struct {
	Code   string `json:"code"`               // one of the codes below
	Reason string `json:"reason"`             // cause and, where there is one, the cure
	Retry  Span   `json:"retry_ms,omitempty"` // with TooManyNotes and TooManyEvents: when the next is let through
}

// Error returns "code: reason".
func (r *Refusal) Error() string { return r.Code + ": " + r.Reason }

// Codes of refusals.
const (
	UnknownCommand = "unknown_command" // there is no such command
	BadPayload     = "bad_payload"     // a field is missing, of the wrong kind or out of its range
	NotAllowed     = "not_allowed"     // the sender's role may not do it
	LastTeacher    = "last_teacher"    // a room keeps one teacher
	UnknownMember  = "unknown_member"  // the command names somebody who is not in the room
	Conflict       = "conflict"        // the state has changed since the sender saw it
	KeyReused      = "key_reused"      // another command had the same key
	TooManyChanges = "too_many_changes"
	AlreadyPlaying = "already_playing"
	AlreadyStopped = "already_stopped"
	AboutToStart   = "about_to_start" // not possible between a start and its first bar
	Muted          = "muted"
	TooManyNotes   = "too_many_notes"
	NoteTooLate    = "note_too_late"  // its time is too long ago
	NoteTooEarly   = "note_too_early" // its time is too far ahead
	TakeFull       = "take_full"      // no more onsets are kept
	TooManyEvents  = "too_many_events"
	TakeRuns       = "take_runs" // another take is under way
	NoTake         = "no_take"   // none is, or another
)

func refuse(code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Reason: fmt.Sprintf(format, args...)}
}

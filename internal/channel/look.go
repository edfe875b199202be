package channel

import (
	"time"

	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// A Member is a client in a topic, as an operator sees it.
type Member struct {
	ID      uint64    // of its channel; no other of this node has it
	Subject string    // claim sub of its token
	Role    string    // claim role
	Since   time.Time // when it joined, to the second
}

// MemberOf returns who listens, false for a listener that is no client. It is
// called on the listener's loop.
func MemberOf(l hub.Listener) (Member, bool) {
	ch, is := l.(*Channel)
	if !is {
		return Member{}, false
	}
	return Member{
		ID: ch.id, Subject: ch.token.Claims.Subject, Role: ch.token.Claims.Role, Since: time.Unix(int64(ch.since), 0),
	}, true
}

// The kinds of what Watchers are told beside the messages of a topic.
const (
	NoteRow    = rowsExtension
	NoteSystem = phoenix.EventSystem
)

// ExpelMember throws a single channel out, as Expel does those of a topic, and
// reports whether it was a client's. It is called on the listener's loop.
func ExpelMember(l hub.Listener) bool {
	ch, is := l.(*Channel)
	if !is || ch.ended() {
		return false
	}
	ch.system("system", phoenix.StatusOK, "Server requested disconnect")
	ch.close()
	return true
}

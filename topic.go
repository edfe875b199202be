package tutti

import "strings"

// TopicPrefix begins every topic that a client may join, but for bare ones.
const TopicPrefix = "realtime:"

// A Topic names one room of one tenant. A public, a private and a bare topic of
// the same name are rooms that never hear each other.
type Topic struct {
	Tenant  string // external id of the tenant
	Name    string // what follows Prefix on the wire
	Private bool
	Bare    bool // there is no prefix on the wire; such are those of extensions alone
}

// Prefix returns what stands before the name on the wire: TopicPrefix, or "".
func (t Topic) Prefix() string {
	if t.Bare {
		return ""
	}
	return TopicPrefix
}

// Wire returns the topic as clients write it, such as "realtime:room1".
func (t Topic) Wire() string { return t.Prefix() + t.Name }

// String returns the topic for logs, such as "acme/room1", "acme-private/room1"
// or "acme-bare/room1".
func (t Topic) String() string {
	s := t.Tenant
	if t.Private {
		s += "-private"
	}
	if t.Bare {
		s += "-bare"
	}
	return s + "/" + t.Name
}

// CutTopic returns the name in a wire topic, and whether the topic has the prefix.
// Without it it is a bare one, which can be joined where an extension says so.
func CutTopic(wire string) (name string, ok bool) {
	return strings.CutPrefix(wire, TopicPrefix)
}

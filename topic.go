package tutti

import "strings"

// TopicPrefix begins every topic that a client may join.
const TopicPrefix = "realtime:"

// A Topic names one room of one tenant. A public and a private topic of the
// same name are two rooms that never hear each other.
type Topic struct {
	Tenant  string // external id of the tenant
	Name    string // what follows "realtime:" on the wire
	Private bool
}

// Wire returns the topic as clients write it, such as "realtime:room1".
func (t Topic) Wire() string { return TopicPrefix + t.Name }

// String returns the topic for logs, such as "acme/room1" or
// "acme-private/room1".
func (t Topic) String() string {
	if t.Private {
		return t.Tenant + "-private/" + t.Name
	}
	return t.Tenant + "/" + t.Name
}

// CutTopic returns the name in a wire topic, and whether the topic is one that
// clients may join.
func CutTopic(wire string) (name string, ok bool) {
	return strings.CutPrefix(wire, TopicPrefix)
}

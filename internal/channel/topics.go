package channel

import (
	"bytes"

	"github.com/tutti-realtime/tutti"
)

// topics is the channels that one client has joined. Most have a few, so
// a list is enough; an index comes with the ninth.
type topics struct {
	list  []*Channel
	index map[wireTopic]int // place in list; nil while the list is short
}

// A wireTopic is a topic as a client writes it.
type wireTopic struct {
	name string
	bare bool // without "realtime:"
}

func (ch *Channel) wire() wireTopic { return wireTopic{ch.topic.Name, ch.topic.Bare} }

const shortList = 8

func (t *topics) len() int { return len(t.list) }

// all returns a copy, so that channels may end while it is walked.
func (t *topics) all() []*Channel { return append([]*Channel(nil), t.list...) }

// find returns the channel of a wire topic, or nil.
func (t *topics) find(wire []byte) *Channel {
	name, prefixed := bytes.CutPrefix(wire, []byte(tutti.TopicPrefix))
	if t.index != nil {
		if i, ok := t.index[wireTopic{string(name), !prefixed}]; ok {
			return t.list[i]
		}
		return nil
	}
	for _, ch := range t.list {
		if ch.topic.Name == string(name) && ch.topic.Bare == !prefixed {
			return ch
		}
	}
	return nil
}

func (t *topics) add(ch *Channel) {
	t.list = append(t.list, ch)
	if t.index == nil && len(t.list) > shortList {
		t.index = make(map[wireTopic]int, 2*len(t.list))
		for i, ch := range t.list {
			t.index[ch.wire()] = i
		}
	} else if t.index != nil {
		t.index[ch.wire()] = len(t.list) - 1
	}
}

func (t *topics) remove(ch *Channel) {
	at := t.place(ch)
	if at < 0 {
		return
	}
	last := len(t.list) - 1
	t.list[at] = t.list[last]
	t.list[last] = nil
	t.list = t.list[:last]
	if t.index != nil {
		delete(t.index, ch.wire())
		if at < last {
			t.index[t.list[at].wire()] = at
		}
	}
	if last == 0 {
		*t = topics{}
	}
}

func (t *topics) place(ch *Channel) int {
	if t.index != nil {
		if i, ok := t.index[ch.wire()]; ok && t.list[i] == ch {
			return i
		}
		return -1
	}
	for i := range t.list {
		if t.list[i] == ch {
			return i
		}
	}
	return -1
}

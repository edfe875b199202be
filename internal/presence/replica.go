package presence

import (
	"bytes"
	"slices"
)

// A replica is the entries of one node in the order in which they came, and
// their stamp. The list keeps the order; the map finds and removes in constant
// time, since a topic may have thousands of channels that come and go. Few
// entries are found by looking at each: a map takes more memory than they do.
type replica struct {
	node        string
	stamp       Stamp
	size        int
	channels    map[uint64]*link // nil while there are few
	first, last *link
}

type link struct {
	Entry
	prev, next *link
}

// few is how many entries a replica holds without a map.
const few = 16

func (r *replica) find(channel uint64) *link {
	if r.channels != nil {
		return r.channels[channel]
	}
	for l := r.first; l != nil; l = l.next {
		if l.Channel == channel {
			return l
		}
	}
	return nil
}

func (r *replica) get(channel uint64) (Entry, bool) {
	l := r.find(channel)
	if l == nil {
		return Entry{}, false
	}
	return l.Entry, true
}

// put appends an entry, or replaces the one of the same channel in its place
// and returns that.
func (r *replica) put(e Entry) (old Entry, replaced bool) {
	if l := r.find(e.Channel); l != nil {
		old, l.Entry = l.Entry, e
		return old, true
	}
	l := &link{Entry: e, prev: r.last}
	if r.last == nil {
		r.first = l
	} else {
		r.last.next = l
	}
	r.last = l
	r.size++
	if r.channels != nil {
		r.channels[e.Channel] = l
	} else if r.size > few {
		r.index()
	}
	return Entry{}, false
}

func (r *replica) index() {
	r.channels = make(map[uint64]*link, r.size)
	for l := r.first; l != nil; l = l.next {
		r.channels[l.Channel] = l
	}
}

func (r *replica) remove(channel uint64) (old Entry, removed bool) {
	l := r.find(channel)
	if l == nil {
		return Entry{}, false
	}
	if l.prev == nil {
		r.first = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		r.last = l.prev
	} else {
		l.next.prev = l.prev
	}
	if r.size--; r.size == 0 {
		r.channels = nil
	} else if r.channels != nil {
		delete(r.channels, channel)
	}
	return l.Entry, true
}

// apply makes the change that leads from r's stamp to d's, and returns it as
// seen here.
func (r *replica) apply(d Delta) (done Diff) {
	for _, e := range d.Joins {
		if old, ok := r.put(e); ok {
			done.Leaves = append(done.Leaves, old)
		}
	}
	for _, e := range d.Leaves {
		updated := slices.ContainsFunc(d.Joins, func(j Entry) bool { return j.Channel == e.Channel })
		if updated {
			continue // put has replaced it, and it keeps its place
		}
		if old, ok := r.remove(e.Channel); ok {
			done.Leaves = append(done.Leaves, old)
		}
	}
	done.Joins = d.Joins
	r.stamp = d.Stamp
	return done
}

// entries appends the entries to dst, oldest first.
func (r *replica) entries(dst []Entry) []Entry {
	dst = slices.Grow(dst, r.size)
	for l := r.first; l != nil; l = l.next {
		dst = append(dst, l.Entry)
	}
	return dst
}

// without returns the entries of r that o does not hold just so.
func (r *replica) without(o *replica) (rest []Entry) {
	for l := r.first; l != nil; l = l.next {
		other := o.find(l.Channel)
		if other == nil || other.Key != l.Key || !bytes.Equal(other.Meta, l.Meta) {
			rest = append(rest, l.Entry)
		}
	}
	return rest
}

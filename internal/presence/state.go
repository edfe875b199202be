package presence

import (
	"slices"
	"strings"
)

// An Entry is one presence: what one channel tracks. Meta is a rendered meta
// (see render.go) and is never changed, so entries may be copied and shared.
type Entry struct {
	Channel uint64 // unique on its node
	Key     string
	Meta    []byte
}

// A Diff is the difference between two states. An updated entry stands in
// Joins with its new meta and in Leaves with its old one.
type Diff struct{ Joins, Leaves []Entry }

// A Stamp says how far the entries of one node have come. Two states that hold
// the same stamp for a node hold the same entries of that node, in the same
// order: only the node itself changes them, one version at a time.
type Stamp struct {
	Epoch   uint64 // incarnation: greater with each State the node begins for the topic
	Version uint64 // changes in this incarnation, each adds one
}

// A Delta is one change that its node made to its own entries. A leave whose
// channel is also among the joins is an update.
type Delta struct {
	Node string
	Stamp
	Diff
}

// A Copy is all entries of one node, oldest first.
type Copy struct {
	Node string
	Stamp
	Entries []Entry
}

// A Digest is how far a state has come, by node. Two states with equal digests
// are equal.
type Digest map[string]Stamp

// before reports whether s is older than o.
func (s Stamp) before(o Stamp) bool {
	return s.Epoch < o.Epoch || s.Epoch == o.Epoch && s.Version < o.Version
}

// leadsTo reports whether the change stamped o was made to exactly the entries
// stamped s. The first change of a newer incarnation always was: it began empty.
func (s Stamp) leadsTo(o Stamp) bool {
	return s.Epoch == o.Epoch && o.Version == s.Version+1 || s.Epoch < o.Epoch && o.Version == 1
}

// A State is who is in one topic, on every node. Each entry belongs to the node
// of its channel and is changed there only, so states never conflict: they can
// be late, and Behind says where. It knows no clock, starts no goroutine and
// takes no lock.
//
// A node that throws a State away and begins another for the same topic gives
// it a greater epoch, or its peers would take the new changes for old ones.
type State struct {
	own    replica
	others []*replica // by name
}

// NewState returns the empty state that the node begins in this epoch.
func NewState(node string, epoch uint64) *State {
	return &State{own: replica{node: node, stamp: Stamp{Epoch: epoch}}}
}

// Put enters a channel of this node, or gives it a new key and meta in its old
// place. The Delta is for the other nodes.
func (s *State) Put(channel uint64, key string, meta []byte) Delta {
	e := Entry{Channel: channel, Key: key, Meta: meta}
	d := Diff{Joins: []Entry{e}}
	if old, ok := s.own.put(e); ok {
		d.Leaves = []Entry{old}
	}
	return s.changed(d)
}

// Remove takes a channel of this node out. It reports false, and there is no
// Delta, when the channel was not in.
func (s *State) Remove(channel uint64) (Delta, bool) {
	old, ok := s.own.remove(channel)
	if !ok {
		return Delta{}, false
	}
	return s.changed(Diff{Leaves: []Entry{old}}), true
}

func (s *State) changed(d Diff) Delta {
	s.own.stamp.Version++
	return Delta{Node: s.own.node, Stamp: s.own.stamp, Diff: d}
}

// Own returns the entry of a channel of this node.
func (s *State) Own(channel uint64) (Entry, bool) { return s.own.get(channel) }

// Merge applies a change of another node and returns what it changed here. What
// is known already changes nothing. When changes in between are missing nothing
// is applied and wanted is true: a Copy of that node will repair it.
func (s *State) Merge(d Delta) (diff Diff, wanted bool) {
	have := s.stamp(d.Node)
	if d.Node == s.own.node || !have.before(d.Stamp) {
		return Diff{}, false
	}
	if !have.leadsTo(d.Stamp) {
		return Diff{}, true
	}
	if have.Epoch != d.Epoch {
		diff.Leaves = s.Drop(d.Node)
	}
	done := s.replica(d.Node).apply(d)
	diff.Joins = done.Joins
	diff.Leaves = append(diff.Leaves, done.Leaves...)
	return diff, false
}

// Full returns all that is known of a node, for a peer that is behind. It
// reports false for a node never heard of.
func (s *State) Full(node string) (Copy, bool) {
	r := s.other(node)
	if node == s.own.node {
		r = &s.own
	}
	if r == nil {
		return Copy{}, false
	}
	return Copy{Node: node, Stamp: r.stamp, Entries: r.entries(nil)}, true
}

// Replace puts the copy in the place of what was known of its node and returns
// the difference. A copy that is not newer changes nothing.
func (s *State) Replace(c Copy) Diff {
	if c.Node == s.own.node || !s.stamp(c.Node).before(c.Stamp) {
		return Diff{}
	}
	old := s.replica(c.Node)
	fresh := replica{node: c.Node, stamp: c.Stamp}
	for _, e := range c.Entries {
		fresh.put(e)
	}
	diff := Diff{Joins: fresh.without(old), Leaves: old.without(&fresh)}
	*old = fresh
	return diff
}

// Drop forgets a node that is lost and returns the entries that leave with it.
// Should the node be heard again it is like a new one. This node itself cannot
// be dropped.
func (s *State) Drop(node string) (leaves []Entry) {
	i, found := s.search(node)
	if !found {
		return nil
	}
	leaves = s.others[i].entries(nil)
	if s.others = slices.Delete(s.others, i, i+1); len(s.others) == 0 {
		s.others = nil
	}
	return leaves
}

// Renew begins another incarnation of this node's entries, of which there must
// be none. Others then need not remember how far the last one came.
func (s *State) Renew(epoch uint64) { s.own.stamp = Stamp{Epoch: epoch} }

// Digest returns how far this state has come.
func (s *State) Digest() Digest {
	d := Digest{s.own.node: s.own.stamp}
	for _, r := range s.others {
		d[r.node] = r.stamp
	}
	return d
}

// Behind returns, in order of name, the other nodes of which the sender of the
// digest knows more than this state. Its Full of each of them is the cure.
func (s *State) Behind(d Digest) (nodes []string) {
	for node, theirs := range d {
		if node != s.own.node && s.stamp(node).before(theirs) {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// Entries returns all entries: the nodes by name, the entries of each oldest
// first. An update does not make an entry younger.
func (s *State) Entries() []Entry {
	all := make([]Entry, 0, s.Len())
	own, _ := s.search(s.own.node)
	for _, r := range s.others[:own] {
		all = r.entries(all)
	}
	all = s.own.entries(all)
	for _, r := range s.others[own:] {
		all = r.entries(all)
	}
	return all
}

// Len returns the number of entries of all nodes.
func (s *State) Len() int {
	n := s.own.size
	for _, r := range s.others {
		n += r.size
	}
	return n
}

// stamp returns how far another node is known here, zero for not at all.
func (s *State) stamp(node string) Stamp {
	if r := s.other(node); r != nil {
		return r.stamp
	}
	return Stamp{}
}

// replica returns what is known of another node, beginning it when needed.
func (s *State) replica(node string) *replica {
	i, found := s.search(node)
	if !found {
		s.others = slices.Insert(s.others, i, &replica{node: node})
	}
	return s.others[i]
}

// other returns what is known of another node, nil for nothing.
func (s *State) other(node string) *replica {
	if i, found := s.search(node); found {
		return s.others[i]
	}
	return nil
}

// search returns where another node stands, or would.
func (s *State) search(node string) (i int, found bool) {
	if len(s.others) == 0 {
		return 0, false
	}
	return slices.BinarySearchFunc(s.others, node, func(r *replica, node string) int { return strings.Compare(r.node, node) })
}

package presence

import (
	"maps"
	"reflect"
	"slices"
	"testing"
)

func entry(channel uint64, key, meta string) Entry {
	return Entry{Channel: channel, Key: key, Meta: []byte(meta)}
}

// names returns the metas of entries, for short comparisons.
func names(entries []Entry) (metas []string) {
	for _, e := range entries {
		metas = append(metas, string(e.Meta))
	}
	return metas
}

func wantNames(t *testing.T, what string, got []Entry, want ...string) {
	t.Helper()
	if !slices.Equal(names(got), want) {
		t.Errorf("%s = %q, want %q", what, names(got), want)
	}
}

func TestOwnChangesAreNumbered(t *testing.T) {
	s := NewState("a", 9)
	joined := s.Put(1, "ann", []byte("m1"))
	if want := (Delta{"a", Stamp{9, 1}, Diff{Joins: []Entry{entry(1, "ann", "m1")}}}); !reflect.DeepEqual(joined, want) {
		t.Errorf("first put = %+v, want %+v", joined, want)
	}
	updated := s.Put(1, "ann", []byte("m2"))
	if updated.Stamp != (Stamp{9, 2}) {
		t.Errorf("second put is stamped %v", updated.Stamp)
	}
	wantNames(t, "joins of an update", updated.Joins, "m2")
	wantNames(t, "leaves of an update", updated.Leaves, "m1")
	if _, ok := s.Remove(2); ok {
		t.Error("a channel that was never in has been removed")
	}
	left, ok := s.Remove(1)
	if !ok || left.Stamp != (Stamp{9, 3}) {
		t.Errorf("remove = %+v, %v", left, ok)
	}
	wantNames(t, "leaves of a remove", left.Leaves, "m2")
}

func TestAnUpdateKeepsItsPlace(t *testing.T) {
	a, b := NewState("a", 1), NewState("b", 1)
	for i, meta := range []string{"m1", "m2", "m3"} {
		b.Merge(a.Put(uint64(i), "k", []byte(meta)))
	}
	b.Merge(a.Put(1, "k", []byte("new")))
	wantNames(t, "own entries", a.Entries(), "m1", "new", "m3")
	wantNames(t, "entries at the peer", b.Entries(), "m1", "new", "m3")
	d, _ := a.Remove(0)
	b.Merge(d)
	d, _ = a.Remove(2)
	b.Merge(d)
	wantNames(t, "entries at the peer", b.Entries(), "new")
}

func TestMerge(t *testing.T) {
	joins := func(epoch, version uint64, meta string) Delta {
		return Delta{"a", Stamp{epoch, version}, Diff{Joins: []Entry{entry(version, "k", meta)}}}
	}
	for name, tt := range map[string]struct {
		known         []Delta
		merge         Delta
		joins, leaves []string
		wanted        bool
		entries       []string
	}{
		"the first change of an unknown node is applied": {
			merge: joins(5, 1, "m1"), joins: []string{"m1"}, entries: []string{"m1"},
		},
		"the next change is applied": {
			known: []Delta{joins(5, 1, "m1")},
			merge: joins(5, 2, "m2"), joins: []string{"m2"}, entries: []string{"m1", "m2"},
		},
		"a change that is known is ignored": {
			known: []Delta{joins(5, 1, "m1"), joins(5, 2, "m2")},
			merge: joins(5, 1, "m1"), entries: []string{"m1", "m2"},
		},
		"a gap asks for a copy and applies nothing": {
			known: []Delta{joins(5, 1, "m1")},
			merge: joins(5, 3, "m3"), wanted: true, entries: []string{"m1"},
		},
		"an unknown node in mid-course asks for a copy": {
			merge: joins(5, 2, "m2"), wanted: true,
		},
		"an older incarnation is ignored": {
			known: []Delta{joins(5, 1, "m1")},
			merge: joins(4, 2, "m2"), entries: []string{"m1"},
		},
		"a newer incarnation replaces the older": {
			known: []Delta{joins(5, 1, "m1")},
			merge: joins(6, 1, "m2"), joins: []string{"m2"}, leaves: []string{"m1"}, entries: []string{"m2"},
		},
		"a newer incarnation in mid-course asks for a copy": {
			known: []Delta{joins(5, 1, "m1")},
			merge: joins(6, 2, "m2"), wanted: true, entries: []string{"m1"},
		},
		"an echo of the own changes is ignored": {
			merge: Delta{"b", Stamp{9, 1}, Diff{Joins: []Entry{entry(1, "k", "m1")}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := NewState("b", 1)
			for _, d := range tt.known {
				s.Merge(d)
			}
			diff, wanted := s.Merge(tt.merge)
			if wanted != tt.wanted {
				t.Errorf("wanted = %v", wanted)
			}
			wantNames(t, "joins", diff.Joins, tt.joins...)
			wantNames(t, "leaves", diff.Leaves, tt.leaves...)
			wantNames(t, "entries", s.Entries(), tt.entries...)
		})
	}
}

func TestReplaceReturnsTheDifference(t *testing.T) {
	a, b := NewState("a", 1), NewState("b", 1)
	b.Merge(a.Put(1, "k", []byte("stays")))
	b.Merge(a.Put(2, "k", []byte("leaves")))
	b.Merge(a.Put(3, "k", []byte("old")))
	stale, _ := a.Full("a")
	a.Remove(2)
	a.Put(3, "k", []byte("new"))
	a.Put(4, "k", []byte("joins"))
	full, ok := a.Full("a")
	if !ok {
		t.Fatal("a node has no copy of its own entries")
	}
	diff := b.Replace(full)
	wantNames(t, "joins", diff.Joins, "new", "joins")
	wantNames(t, "leaves", diff.Leaves, "leaves", "old")
	wantNames(t, "entries", b.Entries(), "stays", "new", "joins")
	if diff := b.Replace(stale); diff.Joins != nil || diff.Leaves != nil {
		t.Errorf("a stale copy has changed %+v", diff)
	}
	if diff := a.Replace(Copy{Node: "a", Stamp: Stamp{Epoch: 99}}); diff.Leaves != nil || a.Len() != 3 {
		t.Error("a copy of the own entries has been applied")
	}
}

func TestACopyTravelsThroughAThirdNode(t *testing.T) {
	a, b, c := NewState("a", 1), NewState("b", 1), NewState("c", 1)
	b.Merge(a.Put(1, "k", []byte("m1")))
	if got := c.Behind(b.Digest()); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("behind = %q", got)
	}
	full, _ := b.Full("a")
	c.Replace(full)
	wantNames(t, "entries", c.Entries(), "m1")
	if _, ok := c.Full("nobody"); ok {
		t.Error("there is a copy of a node never heard of")
	}
}

func TestDropForgetsALostNode(t *testing.T) {
	a, b, c := NewState("a", 1), NewState("b", 1), NewState("c", 1)
	b.Merge(a.Put(1, "k", []byte("m1")))
	b.Merge(c.Put(1, "k", []byte("m2")))
	b.Put(1, "k", []byte("m3"))
	wantNames(t, "leaves", b.Drop("a"), "m1")
	wantNames(t, "leaves of the second drop", b.Drop("a"))
	wantNames(t, "leaves of the own node", b.Drop("b"))
	wantNames(t, "entries", b.Entries(), "m3", "m2")
	if _, wanted := b.Merge(a.Put(2, "k", []byte("m4"))); !wanted {
		t.Error("a node that is heard again is not asked for its copy")
	}
	full, _ := a.Full("a")
	b.Replace(full)
	wantNames(t, "entries", b.Entries(), "m1", "m4", "m3", "m2")
	want := Digest{"a": {1, 2}, "b": {1, 1}, "c": {1, 1}}
	if got := b.Digest(); !maps.Equal(got, want) {
		t.Errorf("digest = %v, want %v", got, want)
	}
}

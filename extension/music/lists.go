package music

import (
	"slices"
	"sort"
)

// A state is four lists along the same beats: segments, marks, turns, cycles. In
// each an entry holds from its beat until the next one's. Lists are never
// altered in place.

type entry interface {
	comparable
	start() Beat
}

// inForce returns the index of the entry that holds at b: the last that has
// begun, and the first before any has.
func inForce[T entry](list []T, b Beat) int {
	next := sort.Search(len(list), func(i int) bool { return list[i].start() > b })
	return max(0, next-1)
}

// from returns a new list in which added stand in place of what begins at or
// after b.
func from[T entry](list []T, b Beat, added ...T) []T {
	end := sort.Search(len(list), func(i int) bool { return list[i].start() >= b })
	return append(slices.Clone(list[:end:end]), added...)
}

// A Patch changes a list: its entries at or after From are replaced by Add.
type Patch[T entry] struct {
	From Beat `json:"from"`
	Add  []T  `json:"add"`
}

// difference returns what makes after of before, nil when they are equal.
func difference[T entry](before, after []T) *Patch[T] {
	same := 0
	for same < len(before) && same < len(after) && before[same] == after[same] {
		same++
	}
	switch {
	case same < len(after) && same < len(before):
		return &Patch[T]{min(before[same].start(), after[same].start()), after[same:]}
	case same < len(after):
		return &Patch[T]{after[same].start(), after[same:]}
	case same < len(before):
		return &Patch[T]{before[same].start(), []T{}}
	}
	return nil
}

// apply returns the list with the patch, which may be nil.
func (p *Patch[T]) apply(list []T) []T {
	if p == nil {
		return list
	}
	return from(list, p.From, p.Add...)
}

// pruned returns the list without what was over at b.
func pruned[T entry](list []T, b Beat) []T {
	return list[inForce(list, b):]
}

// ordered reports whether a list that was read can be one.
func ordered[T entry](list []T) bool {
	return len(list) > 0 && len(list) <= maxRead && slices.IsSortedFunc(list, func(a, b T) int {
		if a.start() < b.start() {
			return -1
		}
		return 1 // equal ones are out of order
	})
}

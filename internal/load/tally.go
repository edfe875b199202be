package load

import (
	"cmp"
	"slices"
)

// maxReasons bounds a tally: a server may put a random id into every refusal.
const maxReasons = 50

// A tally counts what went wrong, by reason.
type tally map[string]int

func (t tally) add(reason string) {
	if _, known := t[reason]; !known && len(t) >= maxReasons {
		reason = "other reasons"
	}
	t[reason]++
}

// list returns the reasons, the most frequent first.
func (t tally) list() []Failure {
	all := make([]Failure, 0, len(t))
	for reason, n := range t {
		all = append(all, Failure{reason, n})
	}
	slices.SortFunc(all, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

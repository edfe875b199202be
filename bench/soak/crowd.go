//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// A crowd is who is present, as one client knows it: refs by key.
type crowd struct{ refs map[string][]string }

// presences are what the protocol writes.
type presences map[string]struct {
	Metas []struct {
		Ref string `json:"phx_ref"`
	}
}

// take takes a state, or a change of it, as client libraries do.
func (c *crowd) take(event string, payload []byte) {
	var diff struct{ Joins, Leaves presences }
	if event == phoenix.EventPresenceState {
		c.refs = map[string][]string{}
		_ = json.Unmarshal(payload, &diff.Joins)
	} else {
		_ = json.Unmarshal(payload, &diff)
	}
	if c.refs == nil {
		return // the state comes first
	}
	for key, here := range diff.Joins {
		for _, m := range here.Metas {
			c.refs[key] = append(without(c.refs[key], m.Ref), m.Ref)
		}
	}
	for key, left := range diff.Leaves {
		for _, m := range left.Metas {
			c.refs[key] = without(c.refs[key], m.Ref)
		}
		if len(c.refs[key]) == 0 {
			delete(c.refs, key)
		}
	}
}

func without(refs []string, ref string) []string {
	return slices.DeleteFunc(slices.Clone(refs), func(r string) bool { return r == ref })
}

// differ says how the crowd is not those who are there, "" when it is.
func (c *crowd) differ(there []string) string {
	var seen []string
	for key, refs := range c.refs {
		for range refs {
			seen = append(seen, key)
		}
	}
	slices.Sort(seen)
	there = slices.Sorted(slices.Values(there))
	if slices.Equal(seen, there) {
		return ""
	}
	return fmt.Sprintf("sees %v, and there are %v", seen, there)
}

// agree says which guest sees somebody who is not there, or does not see somebody
// who is; "" when all see all. Everybody must be there.
func agree(all []*guest) string {
	there := map[string][]string{}
	for _, g := range all {
		there[g.tenant] = append(there[g.tenant], g.name)
	}
	for _, g := range all {
		one := g.latest()
		if one == nil || !one.settled() {
			return g.name + " is not back"
		}
		one.mu.Lock()
		differs := one.present.differ(there[g.tenant])
		one.mu.Unlock()
		if differs != "" {
			return g.name + " " + differs
		}
	}
	return ""
}

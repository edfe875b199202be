package feed

import (
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/rls"
)

// crowd is how many subscriptions a group must have for a keyring to pay.
const crowd = 32

// A keyring finds, in a large group with the same conditions, those who may see
// a row by a value in it: with a policy such as auth.uid() = owner each row has
// a few viewers among thousands, and asking every judge would cost what there are
// subscribers. It is good for one state of group, catalog and viewers.
type keyring struct {
	turns, introduced uint64
	catalog           *catalog

	bunches []bunch
	rest    []*target // to be considered one by one
}

// A bunch is the subscriptions of one role.
type bunch struct {
	role  string
	plan  *rls.Plan
	all   []*target
	byKey map[string][]*target
}

// considerAll considers all of a group for the change that is being matched.
func (r *reader) considerAll(b *batch, at int, g *changes.Group[*target]) {
	if len(g.Who()) < crowd {
		for _, t := range g.Who() {
			r.consider(b, at, t)
		}
		return
	}
	k := r.keyring(g, b.changes[at].Table.OID)
	for i := range k.bunches {
		r.considerBunch(b, at, &k.bunches[i])
	}
	for _, t := range k.rest {
		r.consider(b, at, t)
	}
}

// considerBunch considers subscriptions of one role, whose plan has a key.
func (r *reader) considerBunch(b *batch, at int, of *bunch) {
	s := r.sight(b, at, of.role)
	if s.relation == nil {
		return
	}
	if s.guarded && s.certain && s.relation.plan == of.plan {
		column, _, _ := of.plan.Key()
		text, known := s.row.Text(column)
		match, ok := of.plan.Keyed(s.row, true)
		others, sure := of.plan.Keyed(s.row, false)
		if known && ok && sure && !others {
			if match && text != nil {
				for _, t := range of.byKey[string(text)] {
					b.hits = append(b.hits, hit{change: at, target: t, relation: s.relation})
				}
			}
			return
		}
	}
	for _, t := range of.all {
		r.consider(b, at, t)
	}
}

// keyring returns the keyring of a group for changes of a table.
func (r *reader) keyring(g *changes.Group[*target], oid uint32) *keyring {
	rings, _ := g.Memo.(map[uint32]*keyring) // a group may be of all tables
	if rings == nil {
		rings = map[uint32]*keyring{}
		g.Memo = rings
	}
	k := rings[oid]
	if k != nil && k.turns == g.Turns && k.introduced == r.introduced && k.catalog == r.catalog {
		return k
	}
	k = &keyring{turns: g.Turns, introduced: r.introduced, catalog: r.catalog}
	rings[oid] = k
	places := map[string]int{}
	for _, t := range g.Who() {
		v := t.subscription.viewer
		var rel *relation
		if role := r.catalog.role(v.role); role != nil {
			rel = role.byOID[oid]
		}
		if rel == nil || rel.plan == nil {
			k.rest = append(k.rest, t)
			continue
		}
		key, found := v.keys[rel.plan]
		if !found {
			k.rest = append(k.rest, t)
			continue
		}
		at, known := places[v.role]
		if !known {
			at = len(k.bunches)
			places[v.role] = at
			k.bunches = append(k.bunches, bunch{role: v.role, plan: rel.plan, byKey: map[string][]*target{}})
		}
		of := &k.bunches[at]
		of.all = append(of.all, t)
		of.byKey[key] = append(of.byKey[key], t)
	}
	return k
}

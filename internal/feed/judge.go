package feed

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/rls"
)

// maxHits is how many pairs of a change and a subscription are worked on at
// once, which bounds the memory for them.
const maxHits = 1 << 16

// A hit is a change that a subscription wants, and gets if its viewer may see
// the row.
type hit struct {
	change   int // in the batch
	target   *target
	relation *relation
	look     *postgres.Look // nil: it may
	row      int            // in the look
}

// A batch is changes that are judged together.
type batch struct {
	changes   []*tutti.Change
	committed []time.Time
	hits      []hit
	looks     []*postgres.Look
	asked     []*viewer // that have looks
	doubts    []doubt
	tests     []*postgres.Test
	sights    []sight // of the change that is being matched, whose place is sighted
	sighted   int
	strangers map[*rls.Plan][]*viewer // who are not known to a plan yet
	met       map[acquaintance]bool   // that they are among them
	spans     spans
}

// A doubt is the subscriptions that get a change if a test passes.
type doubt struct {
	change int
	rule   *changes.Rule
	who    []*target
	test   *postgres.Test
}

// judge hands out what of the transactions somebody wants and may see, and
// sends them on their way to be confirmed.
func (r *reader) judge(ctx context.Context, items []item) error {
	if err := r.learn(ctx, items); err != nil {
		return err
	}
	b := r.emptyBatch()
	var end uint64
	at := 0 // changes so far
	for i := range items {
		tx := &items[i].tx
		for j := range tx.Changes {
			at++
			if isMessages(tx.Changes[j].Table) {
				if at > r.announced {
					r.publish(&tx.Changes[j], tx.Committed)
					r.announced = at
				}
				continue
			}
			if at <= r.handed {
				continue
			}
			if len(b.changes) == 0 {
				b.spans = r.trace()
			}
			b.add(&tx.Changes[j], tx.Committed)
			r.match(b)
			if len(b.hits) >= maxHits {
				if err := r.finish(ctx, b); err != nil {
					return err
				}
				b, r.handed = r.emptyBatch(), at
			}
		}
		if tx.EndLSN != 0 {
			end = tx.EndLSN
		}
	}
	if err := r.finish(ctx, b); err != nil {
		return err
	}
	r.handed = at
	if err := r.follow(ctx); err != nil {
		return err
	}
	r.handed, r.announced = 0, 0
	r.depart(end)
	return nil
}

// emptyBatch returns a batch with the memory of the last.
func (r *reader) emptyBatch() *batch { return &batch{hits: r.hits[:0]} }

func (b *batch) add(c *tutti.Change, committed time.Time) {
	b.changes, b.committed = append(b.changes, c), append(b.committed, committed)
}

// match finds those who want the change that was added last.
func (r *reader) match(b *batch) {
	at := len(b.changes) - 1
	c := b.changes[at]
	r.index.Match(c, func(g *changes.Group[*target], v changes.Verdict) {
		if v == changes.Yes {
			r.considerAll(b, at, g)
			return
		}
		test := doubtful(g.Rule(), c)
		b.tests = append(b.tests, test)
		b.doubts = append(b.doubts, doubt{at, g.Rule(), slices.Clone(g.Who()), test})
		for range g.Who() { // they count, so that a batch stays small
			b.hits = append(b.hits, hit{change: at})
		}
	})
}

// doubtful returns what the database is asked about a change and a rule.
func doubtful(rule *changes.Rule, c *tutti.Change) *postgres.Test {
	row := c.New
	if c.Kind == tutti.Delete {
		row = c.Old
	}
	test := &postgres.Test{}
	for _, f := range rule.Subscription.Filters {
		for i := range c.Table.Columns {
			if c.Table.Columns[i].Name != f.Column {
				continue
			}
			one := postgres.Condition{Type: c.Table.Columns[i].TypeOID, Op: string(f.Op), Value: f.Value, Negate: f.Negate}
			if row[i].Kind == tutti.Text {
				text := string(row[i].Text)
				one.Row = &text
			}
			test.Conditions = append(test.Conditions, one)
		}
	}
	return test
}

// consider notes that a target wants a change, and what must be asked before it
// gets it.
func (r *reader) consider(b *batch, at int, t *target) {
	v := t.subscription.viewer
	s := r.sight(b, at, v.role)
	if s.relation == nil {
		return // the role or the table is gone since: rebinding told the subscription
	}
	h := hit{change: at, target: t, relation: s.relation}
	if s.guarded {
		visible, judged := b.visible(v, s)
		if judged && !visible {
			return
		}
		switch {
		case judged:
		case v.benched(s.relation.table.OID):
			h.look = refusedLook
		default:
			h.look, h.row = b.look(v, s.relation, b.changes[at])
		}
	}
	b.hits = append(b.hits, h)
}

// look adds the row of a change to what is asked for a viewer.
func (b *batch) look(v *viewer, rel *relation, c *tutti.Change) (*postgres.Look, int) {
	l := v.looks[rel.table.OID]
	if l == nil {
		if v.looks == nil {
			v.looks = map[uint32]*look{}
		}
		if len(v.looks) == 0 {
			b.asked = append(b.asked, v)
		}
		l = &look{Look: postgres.Look{Viewer: &v.Viewer, Table: rel.table}}
		v.looks[rel.table.OID] = l
		b.looks = append(b.looks, &l.Look)
	}
	if l.last != c { // else another entry has asked
		l.Keys, l.last = append(l.Keys, primaryKey(rel, c)), c
	}
	return &l.Look, len(l.Keys) - 1
}

// primaryKey returns the values of the primary key of a change's new row.
func primaryKey(rel *relation, c *tutti.Change) []string {
	key := make([]string, 0, 1)
	for i := range rel.Columns {
		if !rel.Columns[i].Primary {
			continue
		}
		if at := changes.Position(c.Table, rel.Columns[i].Name); at >= 0 {
			key = append(key, string(changes.NewValue(c, at).Text))
		}
	}
	return key
}

// finish asks the database all that is to be asked, and hands out.
func (r *reader) finish(ctx context.Context, b *batch) error {
	if len(b.changes) == 0 {
		return nil
	}
	b.spans.matched(b)
	err := r.decide(ctx, b)
	if err == nil {
		visible := b.spans.visible(b)
		err = r.watchSee(ctx, b)
		visible.Finish(failure(err))
	}
	if err == nil {
		err = r.introduce(ctx, b)
	}
	r.punish(b)
	for _, v := range b.asked { // whatever happened: these looks are of this batch
		clear(v.looks)
	}
	if err != nil {
		b.spans.end(b, err)
		return err
	}
	r.complain(b)
	handOut := b.spans.part("hand out")
	r.handOut(b)
	handOut.End()
	b.spans.end(b, nil)
	clear(b.hits)
	r.hits = b.hits
	return r.touchdown(ctx)
}

// see asks the database who may see which rows. Tables that have another name
// by now are looked up again, once; those that are gone show nothing.
func (r *reader) see(ctx context.Context, looks []*postgres.Look) error {
	ask := func(looks []*postgres.Look) error {
		return r.insist(ctx, "visible rows", func(ctx context.Context) error { return r.db.Visible(ctx, looks) })
	}
	if len(looks) == 0 {
		return nil
	}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	if err := ask(looks); err != nil {
		return err
	}
	var stale []*postgres.Look
	for _, l := range looks {
		if errors.Is(l.Err, postgres.ErrStale) {
			stale = append(stale, l)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	if err := r.insist(ctx, "catalog", r.refresh); err != nil {
		return err
	}
	again := stale[:0]
	for _, l := range stale {
		if role := r.catalog.role(l.Viewer.Role); role != nil && role.byOID[l.Table.OID] != nil {
			l.Table = role.byOID[l.Table.OID].table
			again = append(again, l)
		}
	}
	if len(again) == 0 {
		return nil
	}
	return ask(again)
}

// decide has doubtful conditions tested, and considers those that pass.
func (r *reader) decide(ctx context.Context, b *batch) error {
	if len(b.tests) == 0 {
		return nil
	}
	err := r.insist(ctx, "filters", func(ctx context.Context) error { return r.db.Test(ctx, b.tests) })
	if err != nil {
		return err
	}
	known := b.hits
	b.hits = nil
	next := 0
	merge := func(before int) {
		for next < len(known) && known[next].change < before {
			if known[next].target != nil {
				b.hits = append(b.hits, known[next])
			}
			next++
		}
	}
	for _, d := range b.doubts {
		merge(d.change)
		r.doubtFilter(d)
		if d.test.Pass {
			for _, t := range d.who {
				r.consider(b, d.change, t)
			}
		}
	}
	merge(len(b.changes))
	return nil
}

package feed

import (
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// penance is how long a viewer is not asked about a table whose policies took
// too long for him: else each batch would wait for him, and all others with it.
const penance = time.Minute

// queryCanceled is the SQLSTATE of what took too long.
const queryCanceled = "57014"

var errBenched = errors.New("its policies took too long a moment ago")

// refusedLook stands for a look that is not asked for.
var refusedLook = &postgres.Look{Err: errBenched}

func (v *viewer) benched(oid uint32) bool {
	until, found := v.bench[oid]
	return found && time.Now().Before(until)
}

// punish has those not asked for a while whose policies took too long. Looks
// with the same error were not asked: they suffer for another of their kind.
func (r *reader) punish(b *batch) {
	times := map[*pgconn.PgError]int{}
	for _, l := range b.looks {
		if answer, ok := timeout(l.Err); ok {
			times[answer]++
		}
	}
	if len(times) == 0 {
		return
	}
	for _, v := range b.asked {
		for oid, l := range v.looks {
			if answer, ok := timeout(l.Err); ok && times[answer] == 1 {
				if v.bench == nil {
					v.bench = map[uint32]time.Time{}
				}
				v.bench[oid] = time.Now().Add(penance)
			}
		}
	}
}

// timeout returns the error of something that took too long.
func timeout(err error) (*pgconn.PgError, bool) {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return answer, ok && answer.Code == queryCanceled
}

// complain tells those whose policies fail so, once, and nobody else.
func (r *reader) complain(b *batch) {
	logged := map[*postgres.Look]bool{}
	for _, h := range b.hits {
		if h.look == nil || h.target == nil || errors.Is(h.look.Err, postgres.ErrStale) {
			continue
		}
		s, oid := h.target.subscription, h.relation.table.OID
		if h.look.Err == nil {
			if h.visible() { // else his policies may not have been asked: the row is gone
				delete(s.troubled, oid)
			}
			continue
		}
		if s.troubled[oid] {
			continue
		}
		if s.troubled == nil {
			s.troubled = map[uint32]bool{}
		}
		s.troubled[oid] = true
		if !logged[h.look] {
			logged[h.look] = true
			r.log.Warn("policy failed, its viewer gets no changes of the table", "code", "RlsPolicyError",
				"schema", h.relation.Schema, "table", h.relation.Name, "role", s.viewer.role, "err", h.look.Err)
		}
		r.feeds.say(s.Subscriber, statusError, "Changes of "+h.relation.Schema+"."+h.relation.Name+
			" are not delivered: RlsPolicyError. A policy of the table fails for this token; the database's error is in the server's log")
	}
}

// doubtFilter tells those whose filter failed so, once. One that takes too long
// would hold up everybody, change after change: it is given up.
func (r *reader) doubtFilter(d doubt) {
	if d.test.Err == nil {
		return
	}
	reason := "Changes are missing: a filter failed: " + d.test.Err.Error()
	if answer, ok := errors.AsType[*pgconn.PgError](d.test.Err); ok {
		reason = refusal(d.rule.Subscription, answer).Error()
	}
	_, late := timeout(d.test.Err)
	for _, t := range d.who {
		s := t.subscription
		switch {
		case late:
			r.refuse(s, reason)
		case s.fault != reason:
			s.fault = reason
			r.feeds.say(s.Subscriber, statusError, reason)
		default:
			continue
		}
		r.log.Warn("filter failed", "code", "FilterFailed", "topic", s.Topic, "err", d.test.Err)
	}
}

// fits reports whether names of columns mean the same in a relation and in a
// table that may be older.
func (rel *relation) fits(table *tutti.Table) bool {
	if rel.last != table {
		rel.last, rel.same = table, rel.as(table) == rel.Relation
	}
	return rel.same
}

// as returns the relation as it is to be seen in changes of a table that may be
// older. Columns are told apart by their names, so that one could be taken for
// another when names were exchanged meanwhile: then only those that stand before
// all that are different are shown. Columns that were dropped, and new ones at
// the end, change nothing in what is in common.
func (rel *relation) as(table *tutti.Table) *changes.Relation {
	sure, at := 0, 0
	for sure < len(rel.Columns) {
		next := slices.IndexFunc(table.Columns[at:], func(c tutti.Column) bool { return c.Name == rel.Columns[sure].Name })
		if next < 0 {
			break
		}
		at += next + 1
		sure++
	}
	rest := slices.ContainsFunc(rel.Columns[sure:], func(c changes.Column) bool { return changes.Position(table, c.Name) >= 0 })
	if !rest {
		return rel.Relation
	}
	sure = 0
	for sure < min(len(rel.Columns), len(table.Columns)) && rel.Columns[sure].Name == table.Columns[sure].Name {
		sure++
	}
	cautious := *rel.Relation
	cautious.Columns = slices.Clone(rel.Columns)
	for i := sure; i < len(cautious.Columns); i++ {
		cautious.Columns[i].Selectable = false
	}
	return &cautious
}

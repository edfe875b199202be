package feed

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/rls"
)

// catalogAge is how long a catalog is good while nothing says that it is not.
// The stream tells of all that is done to a table, its policies and privileges
// before the next change of it; this is for what it does not tell: roles,
// schemas and functions.
const catalogAge = 30 * time.Second

// maxKnown is how many tables of the stream are remembered; forgetting them costs
// one more reading.
const maxKnown = 10_000

// A catalog is the published tables, as each role of the tenant's subscribers
// sees them.
type catalog struct {
	read  time.Time
	roles map[string]*role
	known map[*tutti.Table]bool // tables of the stream that it is not older than
	views map[viewKey]*changes.View
}

// A role is what a role may see.
type role struct {
	tables []*changes.Relation // in the order of their names
	byOID  map[uint32]*relation
}

// A relation is a published table as a role sees it.
type relation struct {
	*changes.Relation
	table  *postgres.Relation
	exempt bool      // from row-level security
	plan   *rls.Plan // of its policies; nil: the database is asked about each row
	// readable says that the database can be asked about rows: the table has a
	// primary key, which the role may select. If not, clients get an error without
	// data.
	readable bool
	policy   []string // columns that its policies read
	whole    bool     // policies may read any column

	last *tutti.Table // for which fits was asked last
	same bool         // what it was
}

// Tables implements changes.Catalog.
func (r *role) Tables(schema, name string) []*changes.Relation {
	var found []*changes.Relation
	for _, t := range r.tables {
		if (schema == changes.Any || schema == t.Schema) && (name == changes.Any || name == t.Name) {
			found = append(found, t)
		}
	}
	return found
}

// role returns what a role may see, nil if there is none of the name.
func (c *catalog) role(name string) *role { return c.roles[name] }

func (c *catalog) stale() bool { return c != nil && time.Since(c.read) > catalogAge }

// before reports whether the catalog is older than the wish of a subscription,
// who may know of what was made since.
func (c *catalog) before(s *subscription) bool { return c.read.Before(s.since) }

// knowRoles reads the catalog when it lacks a role that subscriptions have.
func (r *reader) knowRoles(ctx context.Context, all []*subscription) error {
	if r.catalog == nil {
		return r.refresh(ctx)
	}
	for _, s := range all {
		if r.catalog.roles[s.role()] == nil && r.catalog.before(s) {
			return r.refresh(ctx)
		}
		if _, asked := r.catalog.roles[s.role()]; !asked {
			return r.refresh(ctx)
		}
	}
	return nil
}

// refresh reads the catalog, and binds anew those whose tables are not what they
// were.
func (r *reader) refresh(ctx context.Context) error {
	names := map[string]bool{}
	for _, s := range r.subscriptions {
		names[s.viewer.role] = true
		names[s.role()] = true
	}
	read := time.Now()
	all, err := r.db.Catalog(ctx, r.settings.Publication, slices.Sorted(maps.Keys(names)))
	if err != nil {
		return err
	}
	before := r.catalog
	next := plans{}
	r.catalog = &catalog{read: read, roles: map[string]*role{}, known: map[*tutti.Table]bool{}, views: map[viewKey]*changes.View{}}
	for name := range names {
		r.catalog.roles[name] = r.convert(all, all.Roles[name], next)
	}
	r.plans = next
	next.forget(r.viewers)
	if before == nil {
		return nil
	}
	if len(before.known) < maxKnown {
		r.catalog.known = before.known // it is no older than the one before
	}
	return r.rebind(ctx, before)
}

// convert returns the published tables as a role sees them.
func (r *reader) convert(all *postgres.Catalog, from *postgres.Role, next plans) *role {
	if from == nil {
		return nil
	}
	to := &role{byOID: map[uint32]*relation{}}
	for _, t := range all.Relations {
		if changes.Hidden(t.Schema) {
			continue
		}
		rights := from.Privileges[t.OID]
		rel := &relation{table: t, exempt: rights.Exempt}
		rel.Relation = &changes.Relation{Schema: t.Schema, Name: t.Name, RLS: t.RLS}
		for i, c := range t.Columns {
			if !c.Published {
				continue
			}
			rel.Columns = append(rel.Columns, changes.Column{
				Name: c.Name, Type: c.Type, TypeName: c.TypeName, SQLName: c.SQLName, Category: c.Category,
				Domain: c.Domain, Labels: c.Labels, Collation: changes.Collation(c.Collation), Primary: c.Primary,
				Selectable: rights.Usage && rights.Selectable[i],
			})
		}
		rel.readable = readableKey(rel.Relation)
		if !rel.exempt {
			rel.plan = next.read(r.plans, t, &rights)
		}
		for _, i := range rights.Policies {
			p := &t.Policies[i]
			rel.policy = append(rel.policy, p.Columns...)
			rel.whole = rel.whole || p.All
		}
		to.tables = append(to.tables, rel.Relation)
		to.byOID[t.OID] = rel
	}
	return to
}

// readableKey reports whether there is a primary key that may be selected.
func readableKey(r *changes.Relation) bool {
	primary := false
	for _, c := range r.Columns {
		if c.Primary && !c.Selectable {
			return false
		}
		primary = primary || c.Primary
	}
	return primary
}

// rebind binds those subscriptions anew for whose role something is different.
// One whose table went away is told so, and admitted again if it comes back.
func (r *reader) rebind(ctx context.Context, before *catalog) error {
	different := map[string]bool{}
	for name, now := range r.catalog.roles {
		was := before.roles[name]
		if was == nil || now == nil || !reflect.DeepEqual(was.tables, now.tables) {
			different[name] = was != now
		}
	}
	var bound []*binding
	for _, s := range r.subscriptions {
		if len(s.wishes) == 0 || s.next != nil || !different[s.viewer.role] || s.queued {
			continue
		}
		b := &binding{subscription: s, quiet: s.active && s.told}
		b.err = b.check(r.catalog)
		if b.err == nil || s.active {
			bound = append(bound, b)
		}
	}
	if err := r.examine(ctx, bound); err != nil {
		r.catalog = before // so that it is read, and this is done, again
		return err
	}
	for _, b := range bound {
		r.admit(b)
	}
	return nil
}

// learn makes the catalog no older than the tables of changes that have come.
func (r *reader) learn(ctx context.Context, items []item) error {
	var fresh []*tutti.Table
	var last *tutti.Table
	for i := range items {
		for j := range items[i].tx.Changes {
			t := items[i].tx.Changes[j].Table
			if t != last && !isMessages(t) && (r.catalog == nil || !r.catalog.known[t]) {
				fresh = append(fresh, t)
			}
			last = t
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	if err := r.insist(ctx, "catalog", r.refresh); err != nil {
		return err
	}
	for _, t := range fresh {
		r.catalog.known[t] = true
	}
	return nil
}

package feed

import (
	"context"
	"fmt"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/rls"
)

// plans remembers the plans of policies, so that one that is the same in the
// next catalog keeps its judges.
type plans map[string]*rls.Plan

// read returns the plan of the policies of a table that apply to a role, nil when
// there is none: then the database is asked about each row. Before is the plans
// of the last catalog.
func (p plans) read(before plans, t *postgres.Relation, rights *postgres.Privilege) *rls.Plan {
	policies := make([]rls.Policy, len(rights.Policies))
	for i, at := range rights.Policies {
		policies[i] = readable(&t.Policies[at])
	}
	columns := make([]rls.Column, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = rls.Column{
			Name: c.Name, Type: c.Type, TypeName: c.Qualified, Domain: c.Domain, Enum: c.Labels != nil,
			Deterministic: c.Collation != postgres.Odd,
		}
	}
	var key strings.Builder
	fmt.Fprintf(&key, "%#v %#v", policies, columns)
	for _, c := range t.Columns {
		fmt.Fprintf(&key, "%q", c.Labels)
	}
	plan, known := p[key.String()]
	if !known {
		plan, known = before[key.String()]
	}
	if !known {
		plan, _ = rls.Read(policies, columns)
	}
	p[key.String()] = plan
	return plan
}

// forget drops what viewers know for plans that are no more.
func (p plans) forget(viewers map[identity]*viewer) {
	used := map[*rls.Plan]bool{}
	for _, plan := range p {
		used[plan] = true
	}
	for _, v := range viewers {
		for plan := range v.judges {
			if !used[plan] {
				delete(v.judges, plan)
				delete(v.keys, plan)
			}
		}
		v.plan, v.judge = nil, nil
	}
}

// readable returns a policy in the words of rls.
func readable(p *postgres.Policy) rls.Policy {
	functions := make([]rls.Function, len(p.Functions))
	for i, f := range p.Functions {
		functions[i] = rls.Function(f)
	}
	return rls.Policy{Permissive: p.Permissive, Using: p.Using, Functions: functions, Operators: p.Operators}
}

// A sight is how the viewers of a role see one change.
type sight struct {
	role     string
	relation *relation // nil: not at all
	guarded  bool      // policies are to be judged
	certain  bool      // columns of the change are those of the relation
	row      rls.Row   // with the relation's plan
}

// sight returns how a role sees the change that is being matched.
func (r *reader) sight(b *batch, at int, name string) *sight {
	if b.sighted != at || len(b.sights) == 0 {
		b.sights, b.sighted = b.sights[:0], at
	}
	for i := range b.sights {
		if b.sights[i].role == name {
			return &b.sights[i]
		}
	}
	s := sight{role: name}
	c := b.changes[at]
	if role := r.catalog.role(name); role != nil {
		s.relation = role.byOID[c.Table.OID]
	}
	if rel := s.relation; rel != nil {
		s.certain = rel.fits(c.Table)
		s.guarded = c.Kind != tutti.Delete && !rel.exempt && rel.readable
		if s.guarded && rel.plan != nil {
			s.row = rel.row(c)
		}
	}
	b.sights = append(b.sights, s)
	return &b.sights[len(b.sights)-1]
}

// row returns the new row of a change as the relation's plan takes it.
func (rel *relation) row(c *tutti.Change) rls.Row {
	columns := rel.plan.Columns()
	values := make([]tutti.Value, len(columns))
	for i, name := range columns {
		if at := changes.Position(c.Table, name); at >= 0 {
			values[i] = changes.NewValue(c, at)
		}
	}
	return rel.plan.Row(values)
}

// visible judges a row in memory, if that can be done. A viewer who is not known
// yet will be, after this batch.
func (b *batch) visible(v *viewer, s *sight) (visible, ok bool) {
	plan := s.relation.plan
	if plan == nil || !s.certain {
		return false, false
	}
	if v.plan != plan {
		judge, known := v.judges[plan]
		if !known {
			b.meet(v, plan)
			return false, false
		}
		v.plan, v.judge = plan, judge
	}
	if v.judge == nil {
		return false, false // the database must be asked about each row
	}
	return v.judge.Visible(s.row)
}

// meet notes that a viewer is to be made known to a plan.
func (b *batch) meet(v *viewer, plan *rls.Plan) {
	if b.met[acquaintance{v, plan}] {
		return
	}
	if b.met == nil {
		b.met, b.strangers = map[acquaintance]bool{}, map[*rls.Plan][]*viewer{}
	}
	b.met[acquaintance{v, plan}] = true
	b.strangers[plan] = append(b.strangers[plan], v)
}

// An acquaintance is a viewer and a plan that are to know each other.
type acquaintance struct {
	viewer *viewer
	plan   *rls.Plan
}

// introduce asks the database what plans must know of viewers, once for each.
// Where it fails, as a policy may for a token, the database goes on being asked
// about each row.
func (r *reader) introduce(ctx context.Context, b *batch) error {
	for plan, strangers := range b.strangers {
		asked := make([]*postgres.Viewer, len(strangers))
		for i, v := range strangers {
			asked[i] = &v.Viewer
		}
		var values [][]*string
		var faults []error
		err := r.insist(ctx, "identities", func(ctx context.Context) (err error) {
			values, faults, err = r.db.Identity(ctx, asked, plan.Expressions())
			return err
		})
		if err != nil {
			return err
		}
		for i, v := range strangers {
			if v.judges == nil {
				v.judges = map[*rls.Plan]*rls.Judge{}
			}
			v.judges[plan] = nil
			if faults[i] == nil {
				v.know(plan, values[i])
			}
		}
		r.introduced++
	}
	return nil
}

// know remembers what a plan must know of a viewer.
func (v *viewer) know(plan *rls.Plan, values []*string) {
	judge, ok := plan.For(values)
	if !ok {
		return
	}
	v.judges[plan] = judge
	_, expression, keyed := plan.Key()
	if !keyed || values[expression] == nil {
		return
	}
	if v.keys == nil {
		v.keys = map[*rls.Plan]string{}
	}
	v.keys[plan] = *values[expression]
}

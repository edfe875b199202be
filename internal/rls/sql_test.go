package rls

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// printed returns understood conditions as PostgreSQL writes them.
func (p place) printed(t *testing.T) (policies []Policy) {
	t.Helper()
	for _, condition := range understood {
		if err := p.make("USING (" + condition + ")"); err != nil {
			t.Fatal(err)
		}
		read, err := p.policies("authenticated")
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, read...)
	}
	return policies
}

// pieces cuts SQL into its tokens, as it stands.
func pieces(sql string) (pieces []string) {
	tokens, _ := tokenize(sql)
	for _, t := range tokens {
		pieces = append(pieces, sql[t.from:t.to])
	}
	return pieces
}

// garble removes, doubles and exchanges tokens, or takes some from elsewhere.
func garble(r *rapid.T, sql, other string) string {
	tokens, spare := pieces(sql), append(pieces(other), "(", ")", "NOT", "IS", "NULL", "=", "OR", "AND", "->>", "::", "text", ".", "true")
	for range rapid.IntRange(1, 3).Draw(r, "changes") {
		at := rapid.IntRange(0, len(tokens)-1).Draw(r, "at")
		end := min(len(tokens), at+rapid.IntRange(0, 3).Draw(r, "removed"))
		from := rapid.IntRange(0, len(spare)-1).Draw(r, "from")
		to := min(len(spare), from+rapid.IntRange(0, 3).Draw(r, "inserted"))
		tokens = slices.Replace(tokens, at, end, spare[from:to]...)
		if len(tokens) == 0 {
			return ""
		}
	}
	return strings.Join(tokens, " ")
}

// Not all of this could PostgreSQL have written, but what is understood of it is
// SQL and means what PostgreSQL means by it.
func TestNoGarbageIsUnderstood(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	policies := p.printed(t)
	columns, err := p.columns()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.make("USING (true)"); err != nil {
		t.Fatal(err)
	}
	if err := p.exec(`INSERT INTO public.t (owner, org, done, title, status, name, code) VALUES
		('11111111-1111-1111-1111-111111111111', 1, true, 'a', 'draft', 'x', 'x'), (NULL, -5, false, 'public', 'public', 'a', 'a'),
		(NULL, NULL, NULL, NULL, NULL, NULL, NULL)`); err != nil {
		t.Fatal(err)
	}
	rows, err := p.texts("SELECT * FROM public.t ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	rapid.Check(t, func(r *rapid.T) {
		a, b := rapid.SampledFrom(policies).Draw(r, "policy"), rapid.SampledFrom(policies).Draw(r, "other")
		a.Using = garble(r, a.Using, b.Using)
		a.Permissive, a.Functions, a.Helpers = true, nil, append(a.Helpers, b.Functions...)
		plan, ok := Read([]Policy{a}, columns)
		if !ok || a.Using == "" {
			return
		}
		accepted++
		p.filter(r, plan, a.Using, columns, rows)
	})
	if t.Logf("accepted: %d", accepted); accepted == 0 {
		t.Error("nothing was accepted, so nothing was tested")
	}
}

// filter compares a plan with its condition as a WHERE.
func (p place) filter(r *rapid.T, plan *Plan, condition string, columns []Column, rows [][]tutti.Value) {
	for _, who := range identities {
		values, raised, err := p.values(plan, who)
		if err != nil {
			r.Fatalf("%s: %v", condition, err)
		}
		if raised {
			continue
		}
		judge, ok := plan.For(values)
		if !ok {
			r.Fatalf("%s: values are refused", condition)
		}
		var visible []string
		raised, err = p.as(who, func() error {
			found, err := p.texts("SELECT id FROM public.t WHERE " + condition)
			for _, f := range found {
				visible = append(visible, string(f[0].Text))
			}
			return err
		})
		if err != nil || raised {
			r.Fatalf("%s: %v %v", condition, raised, err)
		}
		for _, row := range rows {
			want := slices.Contains(visible, string(row[0].Text))
			if got, ok := judge.Visible(rowOf(plan, columns, row)); got != want || !ok {
				r.Fatalf("%s: row %s of %v: %v, want %v", condition, row[0].Text, who, got, want)
			}
		}
	}
}

package rls

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// A tally counts what the property test saw.
type tally struct {
	plans, understood, asked, judged, raised, keyed int
}

func TestJudgesSayWhatPostgreSQLSays(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	columns, err := p.columns()
	if err != nil {
		t.Fatal(err)
	}
	var n tally
	rapid.Check(t, func(r *rapid.T) {
		if !p.draw(r) {
			return
		}
		rows, err := p.texts("SELECT * FROM public.t ORDER BY id")
		if err != nil {
			r.Fatal(err)
		}
		for _, role := range []string{"anon", "authenticated"} {
			plan, ok, err := p.plan(role)
			if err != nil {
				r.Fatal(err)
			}
			n.plans++
			if ok {
				n.understood++
				p.compare(r, &n, plan, role, columns, rows)
			}
		}
	})
	t.Logf("%+v", n)
	if n.understood*4 < n.plans || n.judged == 0 {
		t.Errorf("too few were understood: %+v", n)
	}
}

// draw makes policies and rows. It is false when PostgreSQL refuses them.
func (p place) draw(r *rapid.T) bool {
	policies := rapid.SliceOfN(rapid.Custom(anyPolicy), 1, 3).Draw(r, "policies")
	if err := p.make(policies...); err != nil {
		if _, ok := errors.AsType[*pgconn.PgError](err); !ok {
			r.Fatal(err)
		}
		if err := p.exec("SET search_path = ''"); err != nil {
			r.Fatal(err)
		}
		return false
	}
	rows := rapid.SliceOfN(rapid.Custom(anyRow), 3, 8).Draw(r, "rows")
	err := p.exec(`TRUNCATE public.t RESTART IDENTITY; INSERT INTO public.t (owner, "Second", org, small, big, done, status, title, code,
		name, day, "user", loose, posix, amount, blank, at, flagged, label, tags, doc) VALUES ` + strings.Join(rows, ", "))
	if err != nil {
		r.Fatal(err)
	}
	return true
}

// compare compares the judges of a plan with PostgreSQL.
func (p place) compare(r *rapid.T, n *tally, plan *Plan, role string, columns []Column, rows [][]tutti.Value) {
	same := map[string][]*string{} // values by what Claims says matters
	for _, who := range identities {
		if who.role != role {
			continue
		}
		n.asked++
		values, raised, err := p.values(plan, who)
		if err != nil {
			r.Fatalf("%v: %v", plan.Expressions(), err)
		}
		if raised {
			n.raised++
			continue
		}
		judge, ok := plan.For(values)
		if !ok {
			r.Fatalf("%v: values are refused", plan.Expressions())
		}
		visible, raised, err := p.visible(who)
		if err != nil || raised {
			r.Fatalf("PostgreSQL raises where its expressions do not: %v", err)
		}
		for _, row := range rows {
			n.judged++
			id := string(row[0].Text)
			got, ok := judge.Visible(rowOf(plan, columns, row))
			if want := slices.Contains(visible, id); got != want || !ok {
				r.Fatalf("row %s of %+v: %v, %v, want %v; plan %+v", id, who, got, ok, want, plan)
			}
			if n.keyed += byKey(r, plan, values, rowOf(plan, columns, row), got); len(visible) == 0 && got {
				r.Fatal("unreachable")
			}
		}
		if key := plan.relevant(who.claims); key != "" {
			if other, ok := same[key]; ok && !slices.EqualFunc(other, values, equalTexts) {
				r.Fatalf("claims %v make no difference, but they do: %v", plan.claims, who)
			}
			same[key] = values
		}
	}
}

// visible returns the ids of the rows that an identity may see.
func (p place) visible(who identity) (ids []string, raised bool, err error) {
	raised, err = p.as(who, func() error {
		rows, err := p.texts("SELECT id FROM public.t")
		for _, r := range rows {
			ids = append(ids, string(r[0].Text))
		}
		return err
	})
	return ids, raised, err
}

// byKey checks that a map by the plan's key finds the same, and counts it.
func byKey(r *rapid.T, plan *Plan, values []*string, row Row, want bool) int {
	column, expression, ok := plan.Key()
	if !ok {
		return 0
	}
	text, ok := row.Text(column)
	matches := ok && text != nil && values[expression] != nil && bytes.Equal(text, []byte(*values[expression]))
	if got, ok := plan.Keyed(row, matches); got != want || !ok {
		r.Fatalf("by its key the row is visible: %v; plan %+v", got, plan)
	}
	return 1
}

// relevant returns the claims that matter as a text, "" when all do.
func (p *Plan) relevant(claims string) string {
	names, all := p.Claims()
	var object map[string]json.RawMessage
	if all || json.Unmarshal([]byte(claims), &object) != nil || strings.Contains(claims, `\u0000`) {
		return ""
	}
	key := "relevant:"
	for _, name := range names {
		key += string(object[name]) + "\x00"
	}
	return key
}

func equalTexts(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

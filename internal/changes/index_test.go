package changes

import (
	"fmt"
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// The index finds whom one look at each rule finds, whatever comes and goes.
func TestTheIndexFindsWhatMatches(t *testing.T) {
	t.Parallel()
	filters := []string{"", "id=eq.1", "id=eq.2", "id=in.(1,2,2)", "id=in.()", "id=not.eq.1", "id=eq.1,title=eq.a", "title=eq.a", "title=gt.a", "id=eq.1,title=gt.a", "done=is.true", "tags=eq.{a}", "id=isdistinct.1", "mood=eq.happy"}
	kinds := []tutti.ChangeKind{0, tutti.Insert, tutti.Update, tutti.Delete}
	tables := []*Relation{todos(), todos()}
	tables[1].Name = "others"
	rapid.Check(t, func(rt *rapid.T) {
		var index Index[int]
		rules, members := map[int]*Rule{}, map[int]*Member[int]{}
		for who := range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if len(rules) > 0 && rapid.IntRange(0, 3).Draw(rt, "remove") == 0 {
				gone := rapid.SampledFrom(sorted(rules)).Draw(rt, "who")
				index.Remove(members[gone])
				index.Remove(members[gone])
				delete(rules, gone)
				continue
			}
			parsed, _ := ParseFilters(rapid.SampledFrom(filters).Draw(rt, "filter"))
			s := &Subscription{Event: rapid.SampledFrom(kinds).Draw(rt, "kind"), Schema: rapid.SampledFrom([]string{"public", Any}).Draw(rt, "schema"), Table: rapid.SampledFrom([]string{"todos", "others"}).Draw(rt, "table"), Filters: parsed}
			if len(parsed) == 0 && rapid.Bool().Draw(rt, "any table") {
				s.Table = Any
			}
			found, err := Check(shelfOf(tables), s)
			if err != nil {
				rt.Fatal(err)
			}
			rules[who], members[who] = found[0], index.Add(found[0], who)
		}
		table := tableOf(rapid.SampledFrom(tables).Draw(rt, "changed table"))
		cell := func(name string, cells ...string) string {
			return rapid.SampledFrom(append(cells, "NULL", "ABSENT", "UNCHANGED")).Draw(rt, name)
		}
		row := valuesOf(table, map[string]string{"id": cell("id", "1", "2", "3"), "title": cell("title", "a", "b"), "done": cell("done", "t"), "tags": cell("tags", "{a}"), "mood": cell("mood", "happy", "new")})
		change := &tutti.Change{Table: table, Kind: rapid.SampledFrom(kinds[1:]).Draw(rt, "change"), New: row}
		if change.Kind == tutti.Delete {
			change.New, change.Old = nil, row
		}
		got, want := map[int]Verdict{}, map[int]Verdict{}
		index.Match(change, func(g *Group[int], v Verdict) {
			for _, w := range g.Who() {
				if got[w] != No {
					rt.Fatalf("%d came twice", w)
				}
				got[w] = v
			}
		})
		for who, r := range rules {
			if !fits(r, change) {
				continue
			}
			if v := r.Match(change); v != No {
				want[who] = v
			}
		}
		if !maps.Equal(got, want) {
			rt.Fatalf("found %v, want %v", got, want)
		}
		for who := range rules {
			index.Remove(members[who])
		}
		if len(index.shelves) != 0 {
			rt.Fatalf("%d shelves are left", len(index.shelves))
		}
	})
}

// fits reports whether a rule is for the table and the kind of a change.
func fits(r *Rule, c *tutti.Change) bool {
	return (r.schema == Any || r.schema == c.Table.Schema) && (r.table == Any || r.table == c.Table.Name) &&
		(r.Subscription.Event == 0 || r.Subscription.Event == c.Kind)
}

func sorted(rules map[int]*Rule) []int {
	var all []int
	for who := range 60 {
		if rules[who] != nil {
			all = append(all, who)
		}
	}
	return all
}

func TestNobodyGets(t *testing.T) {
	t.Parallel()
	var index Index[int]
	everything := &Rule{Subscription: &Subscription{}, schema: Any, table: Any}
	index.Add(everything, 1)
	for name, c := range map[string]*tutti.Change{
		"a TRUNCATE":                      {Kind: tutti.Truncate, Table: &tutti.Table{Schema: "public", Name: "todos"}},
		"rows that hold claims of others": {Kind: tutti.Insert, Table: &tutti.Table{Schema: "realtime", Name: "subscription"}},
	} {
		index.Match(c, func(*Group[int], Verdict) { t.Errorf("somebody gets %s", name) })
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, filter := range []string{"id=eq.%d", "id=in.(%d,-1)", "id=gt.%d", "title=eq.t%d,id=gt.0", "done=is.true"} {
		for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", filter, n), func(b *testing.B) {
				var index Index[int]
				for i := range n {
					text := filter
					if filter != "done=is.true" {
						text = fmt.Sprintf(filter, i)
					}
					index.Add(ruleOf(b, text, 0), i)
				}
				table := tableOf(todos())
				change := &tutti.Change{Table: table, Kind: tutti.Insert, New: valuesOf(table, map[string]string{"id": strconv.Itoa(n / 2), "title": "t1", "done": "t"})}
				b.ReportAllocs()
				for b.Loop() {
					index.Match(change, func(*Group[int], Verdict) {})
				}
			})
		}
	}
}

func BenchmarkAddRemove(b *testing.B) {
	var index Index[int]
	r := ruleOf(b, "id=eq.1", 0)
	for i := range 100_000 {
		index.Add(r, i)
	}
	for b.Loop() {
		index.Remove(index.Add(r, 1))
	}
}

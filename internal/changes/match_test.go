package changes

import (
	"testing"

	"github.com/tutti-realtime/tutti"
)

// table returns the relation's table as changes have it.
func tableOf(r *Relation) *tutti.Table {
	t := &tutti.Table{OID: 16400, Schema: r.Schema, Name: r.Name, Identity: 'd'}
	for _, c := range r.Columns {
		t.Columns = append(t.Columns, tutti.Column{Name: c.Name, TypeOID: c.Type, Type: c.TypeName, TypeMod: -1, Key: c.Primary})
	}
	return t
}

// A cell of a row in a test: NULL, ABSENT, UNCHANGED or a text.
func valuesOf(t *tutti.Table, cells map[string]string) []tutti.Value {
	values := make([]tutti.Value, len(t.Columns))
	for i, c := range t.Columns {
		switch cell, ok := cells[c.Name]; {
		case !ok || cell == "ABSENT":
		case cell == "NULL":
			values[i].Kind = tutti.Null
		case cell == "UNCHANGED":
			values[i].Kind = tutti.Unchanged
		default:
			values[i] = tutti.Value{Kind: tutti.Text, Text: []byte(cell)}
		}
	}
	return values
}

func ruleOf(t testing.TB, filter string, kind tutti.ChangeKind) *Rule {
	t.Helper()
	filters, err := ParseFilters(filter)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Check(shelfOf{todos()}, &Subscription{Event: kind, Schema: "public", Table: "todos", Filters: filters})
	if err != nil {
		t.Fatal(err)
	}
	return rules[0]
}

func TestARowPasses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		filter string
		row    map[string]string
		want   Verdict
	}{
		"without filters":                         {"", map[string]string{"id": "1"}, Yes},
		"an equal value":                          {"id=eq.1", map[string]string{"id": "1"}, Yes},
		"another value":                           {"id=eq.1", map[string]string{"id": "2"}, No},
		"all of two":                              {"id=gt.1,title=eq.a", map[string]string{"id": "2", "title": "a"}, Yes},
		"one of two":                              {"id=gt.1,title=eq.a", map[string]string{"id": "2", "title": "b"}, No},
		"null equals nothing":                     {"id=eq.1", map[string]string{"id": "NULL"}, No},
		"null is not unequal either":              {"id=neq.1", map[string]string{"id": "NULL"}, No},
		"nor by negation":                         {"id=not.eq.1", map[string]string{"id": "NULL"}, No},
		"null is distinct":                        {"id=isdistinct.1", map[string]string{"id": "NULL"}, Yes},
		"null is not indistinct":                  {"id=not.isdistinct.1", map[string]string{"id": "NULL"}, No},
		"an equal value is not distinct":          {"id=isdistinct.1", map[string]string{"id": "1"}, No},
		"null is null":                            {"title=is.null", map[string]string{"title": "NULL"}, Yes},
		"null is not not null":                    {"title=not.is.null", map[string]string{"title": "NULL"}, No},
		"a value is not null":                     {"title=not.is.null", map[string]string{"title": ""}, Yes},
		"null is unknown":                         {"done=is.unknown", map[string]string{"done": "NULL"}, Yes},
		"null is not true":                        {"done=not.is.true", map[string]string{"done": "NULL"}, Yes},
		"true is true":                            {"done=is.true", map[string]string{"done": "t"}, Yes},
		"an element":                              {"id=in.(1,2)", map[string]string{"id": "2"}, Yes},
		"no element":                              {"id=in.(1,2)", map[string]string{"id": "3"}, No},
		"not an element":                          {"id=not.in.(1,2)", map[string]string{"id": "3"}, Yes},
		"not an element of a list with a null":    {"id=not.in.(1,NULL)", map[string]string{"id": "3"}, No},
		"an element of a list with a null":        {"id=in.(1,NULL)", map[string]string{"id": "1"}, Yes},
		"an empty list has no elements":           {"id=in.()", map[string]string{"id": "1"}, No},
		"everything is outside of it":             {"id=not.in.()", map[string]string{"id": "1"}, Yes},
		"even null":                               {"id=not.in.()", map[string]string{"id": "NULL"}, Yes},
		"null is not outside of other lists":      {"id=not.in.(1)", map[string]string{"id": "NULL"}, No},
		"what was left untouched does not":        {"title=not.eq.a", map[string]string{"title": "UNCHANGED"}, No},
		"nor as null":                             {"title=is.null", map[string]string{"title": "UNCHANGED"}, No},
		"nor what is absent":                      {"title=not.in.()", map[string]string{}, No},
		"the order of texts is asked":             {"title=gt.a", map[string]string{"title": "b"}, Ask},
		"but null is not":                         {"title=gt.a", map[string]string{"title": "NULL"}, No},
		"nor when another filter says no":         {"title=gt.a,id=eq.1", map[string]string{"title": "b", "id": "2"}, No},
		"what two say yes and ask is asked":       {"title=gt.a,id=eq.2", map[string]string{"title": "b", "id": "2"}, Ask},
		"the order of bytes is not":               {"code=gt.a", map[string]string{"code": "B"}, No},
		"an array is asked":                       {"tags=eq.{a}", map[string]string{"tags": "{a}"}, Ask},
		"an array that is null is not":            {"tags=is.null", map[string]string{"tags": "NULL"}, Yes},
		"foreign letters are asked":               {"title=ilike.É", map[string]string{"title": "é"}, Ask},
		"ASCII letters are not":                   {"title=ilike.A%", map[string]string{"title": "abc"}, Yes},
		"bytes with their prefix":                 {`raw=eq.\x01`, map[string]string{"raw": `\x01`}, Yes},
		"and without, as the reference has it":    {`raw=eq.01`, map[string]string{"raw": `\x01`}, Yes},
		"a label of later is asked":               {"mood=eq.happy", map[string]string{"mood": "new"}, Ask},
		"null elements of what cannot be read":    {"tags=in.({a})", map[string]string{"tags": "NULL"}, Ask},
		"a percent sign in the middle":            {"title=like.a%b_c%d", map[string]string{"title": "axxbéczzd"}, Yes},
		"overlapping ends":                        {"title=like.ab%ba", map[string]string{"title": "aba"}, No},
		"an escaped percent sign":                 {`title=like.\%`, map[string]string{"title": "%"}, Yes},
		"a pattern of a regular expression":       {"title=match.^[a-c]+(x|y)?.$", map[string]string{"title": "abcx\n"}, Yes},
		"one that does not care for capitals":     {"title=imatch.ABC", map[string]string{"title": "xabc"}, Yes},
		"nor would it for those of other scripts": {"title=imatch.k", map[string]string{"title": "\u212a"}, Ask},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ruleOf(t, tt.filter, 0)
			table := tableOf(todos())
			if got := r.Match(&tutti.Change{Table: table, Kind: tutti.Insert, New: valuesOf(table, tt.row)}); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
			// The old row counts when it is deleted, and only then.
			if got := r.Match(&tutti.Change{Table: table, Kind: tutti.Delete, Old: valuesOf(table, tt.row)}); got != tt.want {
				t.Errorf("deleted: %d, want %d", got, tt.want)
			}
			if got := r.Match(&tutti.Change{Table: table, Kind: tutti.Update, New: make([]tutti.Value, len(table.Columns)), Old: valuesOf(table, tt.row)}); tt.filter != "" && got != No {
				t.Errorf("updated from it: %d", got)
			}
		})
	}
}

func TestAColumnOfAnotherTypeIsAsked(t *testing.T) {
	t.Parallel()
	table := tableOf(todos())
	table.Columns[0].TypeOID = oidText
	change := &tutti.Change{Table: table, Kind: tutti.Insert, New: valuesOf(table, map[string]string{"id": "1"})}
	if got := ruleOf(t, "id=eq.1", 0).Match(change); got != Ask {
		t.Errorf("%d", got)
	}
}

package changes

import (
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

// A shelfOf is a catalog of given tables.
type shelfOf []*Relation

func (tables shelfOf) Tables(schema, name string) (found []*Relation) {
	for _, r := range tables {
		if (schema == Any || r.Schema == schema) && (name == Any || r.Name == name) {
			found = append(found, r)
		}
	}
	return found
}

// todos is a table with a column of each sort.
func todos() *Relation {
	return &Relation{Schema: "public", Name: "todos", Columns: []Column{
		{Name: "id", Type: oidInt4, TypeName: "int4", SQLName: "integer", Category: 'N', Primary: true, Selectable: true},
		{Name: "title", Type: oidText, TypeName: "text", SQLName: "text", Category: 'S', Selectable: true},
		{Name: "done", Type: oidBool, TypeName: "bool", SQLName: "boolean", Category: 'B', Selectable: true},
		{Name: "mood", Type: 16500, TypeName: "mood", SQLName: "mood", Category: 'E', Labels: []string{"happy"}, Selectable: true},
		{Name: "doc", Type: oidJSON, TypeName: "json", SQLName: "json", Category: 'U', Selectable: true},
		{Name: "tags", Type: 1009, TypeName: "_text", SQLName: "text[]", Category: 'A', Selectable: true},
		{Name: "secret", Type: oidText, TypeName: "text", SQLName: "text", Category: 'S'},
		{Name: "code", Type: oidText, TypeName: "text", SQLName: "text", Category: 'S', Collation: ByteOrder, Selectable: true},
		{Name: "raw", Type: oidBytea, TypeName: "bytea", SQLName: "bytea", Category: 'U', Selectable: true},
	}}
}

func TestWhatATableCannotAnswerIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ filter, sel, want string }{
		"an unknown column":              {"notacolumn=eq.123", "", `[{"notacolumn", "eq", "123", false}], select: nil]. Exception: ERROR P0001 (raise_exception) invalid column for filter notacolumn`},
		"a column without rights":        {"secret=not.eq.1", "", `[{"secret", "eq", "1", true}], select: nil]. Exception: ERROR P0001 (raise_exception) invalid column for filter secret`},
		"a select without rights":        {"", "id,secret", `[], select: ["id", "secret"]]. Exception: ERROR P0001 (raise_exception) invalid column for select secret`},
		"a value of another type":        {"id=eq.hey", "", `[{"id", "eq", "hey", false}], select: nil]. Exception: ERROR 22P02 (invalid_text_representation) invalid input syntax for type integer: "hey"`},
		"a number that is too large":     {"id=lt.3000000000", "", `Exception: ERROR 22003 (numeric_value_out_of_range) value "3000000000" is out of range for type integer`},
		"no label of an enum":            {"mood=eq.angry", "", `Exception: ERROR 22P02 (invalid_text_representation) invalid input value for enum mood: "angry"`},
		"an element of another type":     {"id=in.(1,x)", "", `Exception: ERROR 22P02 (invalid_text_representation) invalid input syntax for type integer: "x"`},
		"a list that is none":            {"title=in.(a{b)", "", `Exception: ERROR 22P02 (invalid_text_representation) malformed array literal: "{a{b}"`},
		"a list that is too long":        {"id=in.(" + strings.Repeat("1,", 100) + "1)", "", "Exception: ERROR P0001 (raise_exception) too many values for `in` filter. Maximum 100"},
		"is of another word":             {"done=is.TRUE", "", `invalid value for is filter: must be null, true, false, or unknown`},
		"is true of no boolean":          {"id=is.true", "", `is true filter requires a boolean column, got integer`},
		"like on a number":               {"id=like.1%", "", `operator like requires a text-compatible column type, got integer`},
		"imatch on a boolean":            {"done=imatch.t", "", `operator imatch requires a text-compatible column type, got boolean`},
		"ilike on bytes":                 {"raw=ilike.x", "", `operator ilike requires a text-compatible column type, got bytea`},
		"a pattern that never works":     {`title=like.x\`, "", `ERROR 22025 (invalid_escape_sequence) LIKE pattern must not end with escape character`},
		"json, which cannot be compared": {`doc=eq.{}`, "", `ERROR 42883 (undefined_function) operator does not exist: json = json`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			filters, err := ParseFilters(tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			s := &Subscription{Schema: "public", Table: "todos", Filters: filters}
			if tt.sel != "" {
				s.Select = strings.Split(tt.sel, ",")
			}
			_, err = Check(shelfOf{todos()}, s)
			const begin = "Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: [event: *, schema: public, table: todos, filters: ["
			if err == nil || !strings.HasPrefix(err.Error(), begin) || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestWithoutATableThereIsNothingToSubscribeTo(t *testing.T) {
	t.Parallel()
	hidden := &Relation{Schema: "realtime", Name: "subscription"}
	for name, s := range map[string]*Subscription{
		"an unknown table":             {Event: tutti.Insert, Schema: "public", Table: "x"},
		"names are no patterns":        {Schema: "public", Table: "todo_"},
		"the server's tables are none": {Schema: "realtime", Table: "subscription"},
	} {
		_, err := Check(shelfOf{todos(), hidden}, s)
		want := "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [" + s.parameters() + "]"
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Check(shelfOf{}, &Subscription{Event: tutti.Insert, Schema: "public", Table: Any})
	if want := "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: INSERT, schema: public, table: *, filters: [], select: nil]"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestWhatOnlyPostgreSQLKnowsIsDoubtful(t *testing.T) {
	t.Parallel()
	for filter, doubtful := range map[string]bool{
		"title=gt.a":           true,
		"code=gt.a":            false,
		"title=eq.a":           false,
		"title=match.^a(b|c)$": false,
		"title=match.\\ma":     true,
		"title=match.a{2}":     true,
		"title=match.(":        true,
		"tags=eq.{a}":          true,
		"tags=is.null":         false,
		"doc=is.null":          false,
		"id=in.({1},{2})":      true,
		"id=in.(1,2)":          false,
		"id=eq.0x1f":           true,
		"raw=like.x":           true,
	} {
		filters, _ := ParseFilters(filter)
		rules, err := Check(shelfOf{todos()}, &Subscription{Schema: "public", Table: "todos", Filters: filters})
		if err != nil {
			t.Errorf("%s: %v", filter, err)
		} else if (len(rules[0].Doubtful()) > 0) != doubtful {
			t.Errorf("%s: %v", filter, rules[0].Doubtful())
		}
	}
}

func TestAWildcardWithFiltersIsARuleForEachTable(t *testing.T) {
	t.Parallel()
	other := todos()
	other.Name = "others"
	rules, err := Check(shelfOf{todos(), other}, &Subscription{Schema: Any, Table: Any, Filters: []Filter{{"id", Eq, "1", false}}})
	if err != nil || len(rules) != 2 || rules[1].table != "others" {
		t.Errorf("%v, %v", rules, err)
	}
	rules, err = Check(shelfOf{todos(), other}, &Subscription{Schema: Any, Table: Any})
	if err != nil || len(rules) != 1 || rules[0].Relation != nil {
		t.Errorf("%v, %v", rules, err)
	}
}

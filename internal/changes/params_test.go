package changes

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

func TestAnEntryIsRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   string
		want Subscription
	}{
		"everything given": {`{"event":"INSERT","schema":"s","table":"t","filter":"id=eq.1","select":["a","b"]}`,
			Subscription{Event: tutti.Insert, Schema: "s", Table: "t", Filters: []Filter{{"id", Eq, "1", false}}, Select: []string{"a", "b"}}},
		"the event in small letters":                {`{"event":"update","schema":"s"}`, Subscription{Event: tutti.Update, Schema: "s", Table: Any}},
		"an unknown event means all":                {`{"event":"TRUNCATE","table":"t"}`, Subscription{Schema: "public", Table: "t"}},
		"an event that is no string means all":      {`{"event":7,"table":"t"}`, Subscription{Schema: "public", Table: "t"}},
		"only a table is in public":                 {`{"table":"t"}`, Subscription{Schema: "public", Table: "t"}},
		"only a schema is all its tables":           {`{"schema":"s"}`, Subscription{Schema: "s", Table: Any}},
		"a blank filter is none":                    {`{"schema":"s","table":"t","filter":"  "}`, Subscription{Schema: "s", Table: "t"}},
		"a select without strings is none":          {`{"schema":"s","table":"t","select":[1,null]}`, Subscription{Schema: "s", Table: "t"}},
		"strings of a select are kept":              {`{"schema":"s","table":"t","select":[1,"a"]}`, Subscription{Schema: "s", Table: "t", Select: []string{"a"}}},
		"a select of another type is none":          {`{"schema":"s","table":"t","select":{"a":1}}`, Subscription{Schema: "s", Table: "t"}},
		"a null select is none":                     {`{"schema":"s","table":"t","select":null}`, Subscription{Schema: "s", Table: "t"}},
		"a wildcard may be filtered":                {`{"schema":"s","table":"*","filter":"a=is.null"}`, Subscription{Schema: "s", Table: Any, Filters: []Filter{{"a", Is, "null", false}}}},
		"what is not known is ignored":              {`{"schema":"s","x":[1]}`, Subscription{Schema: "s", Table: Any}},
		"of a key that comes twice the last counts": {`{"schema":"a","schema":"s"}`, Subscription{Schema: "s", Table: Any}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Entry{Raw: []byte(tt.in)}.Parse()
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestAnEntryIsRefusedInTheWordsOfTheReference(t *testing.T) {
	t.Parallel()
	const none, filter = noParams, filterError
	for name, tt := range map[string]struct{ in, want string }{
		"nothing":                          {`{}`, none + `%{}`},
		"no place":                         {`{"event":"*"}`, none + `%{"event" => "*"}`},
		"a null filter":                    {`{"table":"t","schema":"s","filter":null}`, none + `%{"filter" => nil, "schema" => "s", "table" => "t"}`},
		"a null table":                     {`{"schema":"s","table":null}`, none + `%{"schema" => "s", "table" => nil}`},
		"a filter without a table":         {`{"schema":"s","filter":"a=eq.1"}`, none + `%{"filter" => "a=eq.1", "schema" => "s"}`},
		"a filter without a schema":        {`{"table":"t","filter":"a=eq.1"}`, none + `%{"filter" => "a=eq.1", "table" => "t"}`},
		"a token is not shown":             {`{"user_token":"secret"}`, none + `<redacted>`},
		"nor is another":                   {`{"auth_token":null,"schema":7}`, none + `<redacted>`},
		"values of all kinds":              {`{"a":[1,2.5,true,null,"x\"#{y}\n"],"b":{"c":-1e30},"d":[104,105],"e":[],"f":0.1,"g":"\u0001é"}`, none + `%{"a" => [1, 2.5, true, nil, "x\"\#{y}\n"], "b" => %{"c" => -1.0e30}, "d" => ~c"hi", "e" => [], "f" => 0.1, "g" => <<1, 195, 169>>}`},
		"a select that is a string":        {`{"schema":"s","table":"t","select":"a","filter":"x"}`, badSelect},
		"a select of a wildcard":           {`{"schema":"s","select":["a"]}`, selectOfAny},
		"a filter without =":               {`{"schema":"s","table":"t","filter":"undefined"}`, filter + `["undefined"]`},
		"a filter without an operator":     {`{"schema":"s","table":"t","filter":"a=5"}`, filter + `["5"]`},
		"a negated one without":            {`{"schema":"s","table":"t","filter":"a=not.5"}`, filter + `["5"]`},
		"an unknown operator":              {`{"schema":"s","table":"t","filter":"a=foo.hey"}`, filter + `["foo", "hey"]`},
		"an operator in capitals":          {`{"schema":"s","table":"t","filter":"a=EQ.hey"}`, filter + `["EQ", "hey"]`},
		"in without parentheses":           {`{"schema":"s","table":"t","filter":"a=in.1,b=eq.2"}`, filter + "`in` filter value must be wrapped by parentheses"},
		"a comma too many":                 {`{"schema":"s","table":"t","filter":"a=eq.1,"}`, filter + "filter must not contain empty segments (check for extra commas)"},
		"a fault of a filter comes first":  {`{"schema":"s","table":"*","select":["a"],"filter":"x"}`, filter + `["x"]`},
		"a wildcard's select comes second": {`{"schema":"s","table":"*","select":["a"],"filter":""}`, selectOfAny},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := (Entry{Raw: []byte(tt.in)}).Parse(); err == nil || err.Error() != tt.want {
				t.Errorf("%v\nwant %v", err, tt.want)
			}
		})
	}
}

func TestFiltersAreRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   string
		want []Filter
	}{
		"two":                                      {"id=gt.0, id=lt.100", []Filter{{"id", Gt, "0", false}, {"id", Lt, "100", false}}},
		"a negated one":                            {"a=not.like.hey%", []Filter{{"a", Like, "hey%", true}}},
		"a list":                                   {`a=in.(1,"x,y",z)`, []Filter{{"a", In, `{1,"x,y",z}`, false}}},
		"an empty value":                           {"a=eq.", []Filter{{"a", Eq, "", false}}},
		"a quoted comma":                           {`a=eq."x,y",b=eq.z`, []Filter{{"a", Eq, "x,y", false}, {"b", Eq, "z", false}}},
		"an escaped quote":                         {`a=eq."x\",\\y"`, []Filter{{"a", Eq, `x",\y`, false}}},
		"text behind the quotes":                   {`a=eq."x"y`, []Filter{{"a", Eq, `"x"y`, false}}},
		"an open quote":                            {`a=eq."x,b=eq.y`, []Filter{{"a", Eq, `"x,b=eq.y`, false}}},
		"a quote that is no quote":                 {`desc=eq.5" tall,id=gt.0`, []Filter{{"desc", Eq, `5" tall`, false}, {"id", Gt, "0", false}}},
		"a parenthesis that closes nothing":        {"a=eq.x),b=eq.y", []Filter{{"a", Eq, "x)", false}, {"b", Eq, "y", false}}},
		"a parenthesis that is not closed":         {"a=eq.(x,b=eq.y", []Filter{{"a", Eq, "(x,b=eq.y", false}}},
		"points and equals signs in a value":       {"a=eq.b=c.d", []Filter{{"a", Eq, "b=c.d", false}}},
		"a column with blanks in it":               {" a b =eq.1", []Filter{{"a b ", Eq, "1", false}}},
		"a comma in parentheses of an equal value": {"a=eq.f(x,y)", []Filter{{"a", Eq, "f(x,y)", false}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseFilters(tt.in)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestAListOfEntries(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want string }{
		"none":             {`[]`, `{"postgres_changes":[]}`},
		"null":             {` null `, `{"postgres_changes":[]}`},
		"nulls in it":      {`[null,{ "b":1,"a": 2 }]`, `{"postgres_changes":[{ "b":1,"a": 2,"id":71810962}]}`},
		"an empty object":  {`[{}]`, `{"postgres_changes":[{"id":39679005}]}`},
		"two of the same":  {`[{},{ }]`, `{"postgres_changes":[{"id":39679005},{"id":39679005}]}`},
		"no list":          {`{}`, "UnknownErrorOnChannel: `config.postgres_changes` must be a list of JSON objects"},
		"no object in it":  {`[1]`, "UnknownErrorOnChannel: each entry of `config.postgres_changes` must be a JSON object"},
		"nothing whatever": {``, "UnknownErrorOnChannel: `config.postgres_changes` must be a list of JSON objects"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries, err := Entries([]byte(tt.in))
			got := string(AppendResponse(nil, entries))
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestATopicImpliesAnEntry(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"room1":                 `{"schema":"room1"}`,
		"public:todos":          `{"schema":"public","table":"todos"}`,
		"public:todos:a=eq.x:y": `{"schema":"public","table":"todos","filter":"a=eq.x:y"}`,
	} {
		if e := Implied(in); string(e.Raw) != want || e.ID != ID([]byte(want)) {
			t.Errorf("%s: %s", in, e.Raw)
		}
	}
}

func FuzzEntry(f *testing.F) {
	for _, seed := range []string{`{"schema":"s","table":"t","filter":"a=eq.1,b=not.in.(1,\"2\")","select":["a"]}`, `{}`, `{"table":null}`, `{"a":[1,1e9,-0,[{}]]}`, `{"a":1e999,"b":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !phoenix.Object(raw) {
			return
		}
		entries, err := Entries([]byte("[" + string(raw) + "]"))
		if err != nil || len(entries) != 1 || entries[0].ID == 0 || entries[0].ID >= 1<<27 {
			t.Fatalf("%v, %v", entries, err)
		}
		if out := AppendResponse(nil, entries); !phoenix.Valid(out) {
			t.Fatalf("response %s", out)
		}
		if _, err := entries[0].Parse(); err != nil && err.Error() == "" {
			t.Fatal("refused without a word")
		}
	})
}

func FuzzFilters(f *testing.F) {
	for _, seed := range []string{"a=eq.1", `a=in.("x,\"y",{,b),c=not.is.null`, `a=like."\`, "a=match.[a-c]+(x|y)$", "a=imatch.a*?", `a=in.({1},{2})`, "a=gte.-1e5"} {
		f.Add(seed, "1")
	}
	all := samples()
	f.Fuzz(func(t *testing.T, text, value string) {
		filters, err := ParseFilters(text)
		if err != nil {
			return
		}
		for _, filter := range filters {
			if segment := strings.Contains(text, filter.Column); !segment {
				t.Fatalf("%q is not in %q", filter.Column, text)
			}
			for name, s := range all {
				c, fault := compile(filter, &s.column)
				if fault != nil {
					continue
				}
				for _, v := range []tutti.Value{{Kind: tutti.Null}, {Kind: tutti.Unchanged}, {Kind: tutti.Text, Text: []byte(value)}} {
					if got := c.judge(v); v.Kind == tutti.Unchanged && got != No {
						t.Fatalf("%s: %v judged %v on what is not there", name, filter, got)
					}
				}
			}
		}
	})
}

package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
)

// rowsType returns the number of a type.
func rowsType(t testing.TB, d *Database, name string) (oid uint32) {
	t.Helper()
	conn := rowsStranger(t, d)
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), `SELECT $1::text::regtype::oid`, name).Scan(&oid); err != nil {
		t.Fatal(err)
	}
	return oid
}

const filterTypes = `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE TYPE pair AS (a int, b int)`

func TestConditions(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, filterTypes)
	null := "\x00" // stands for NULL
	for name, tt := range map[string]struct {
		kind, row, op, value string
		want, negated        bool
		state                string
	}{
		"equal":                           {kind: "int4", row: "5", op: "eq", value: " 05 ", want: true},
		"not equal":                       {kind: "int4", row: "5", op: "neq", value: "5", negated: true},
		"NULL is equal to nothing":        {kind: "int4", row: null, op: "eq", value: "5"},
		"NULL is not unequal either":      {kind: "int4", row: null, op: "neq", value: "5"},
		"NULL is distinct":                {kind: "int4", row: null, op: "isdistinct", value: "5", want: true},
		"less":                            {kind: "numeric", row: "1.5", op: "lt", value: "1.50001", want: true},
		"an enum's order is its own":      {kind: "mood", row: "ok", op: "gt", value: "sad", want: true},
		"a label that does not exist":     {kind: "mood", row: "ok", op: "eq", value: "mad", state: "22P02"},
		"a domain":                        {kind: "small", row: "5", op: "gte", value: "5", want: true},
		"a domain's check":                {kind: "small", row: "5", op: "eq", value: "50", state: "23514"},
		"char is not cut off":             {kind: "bpchar", row: "abc", op: "eq", value: "abc  ", want: true},
		"bit is not cut off":              {kind: "bit", row: "101", op: "eq", value: "100", negated: true},
		"in":                              {kind: "text", row: "b,c", op: "in", value: `{a,"b,c"}`, want: true},
		"in nothing":                      {kind: "text", row: "b", op: "in", value: "{}", negated: true},
		"NULL in nothing":                 {kind: "text", row: null, op: "in", value: "{}", negated: true},
		"NULL in something":               {kind: "text", row: null, op: "in", value: "{a}"},
		"in no array":                     {kind: "text", row: "b", op: "in", value: "a", state: "22P02"},
		"an array in arrays":              {kind: "int4[]", row: "{1}", op: "in", value: "{{1}}", state: "42883"},
		"arrays are equal":                {kind: "int4[]", row: "{1,2}", op: "eq", value: "{1, 2}", want: true},
		"records are equal":               {kind: "pair", row: "(1,2)", op: "eq", value: "(1,2)", want: true},
		"json is not":                     {kind: "json", row: "{}", op: "eq", value: "{}", state: "42883"},
		"jsonb is":                        {kind: "jsonb", row: `{"a": 1, "b": 2}`, op: "eq", value: `{"b":2,"a":1}`, want: true},
		"like":                            {kind: "text", row: "Ärger", op: "like", value: "Ä%", want: true},
		"like of what is no text":         {kind: "int4", row: "1", op: "like", value: "1", state: "42883"},
		"a pattern that ends too early":   {kind: "text", row: `x\`, op: "like", value: `x\`, state: "22025"},
		"ilike":                           {kind: "varchar", row: "HELLO", op: "ilike", value: "h_llo", want: true},
		"like of bytes":                   {kind: "bytea", row: `\x0102`, op: "like", value: `\x01%`, state: "22023"},
		"match":                           {kind: "text", row: "abc", op: "match", value: "^a.c$", want: true},
		"imatch":                          {kind: "text", row: "ABC", op: "imatch", value: "b", want: true},
		"an expression that is none":      {kind: "text", row: "x", op: "match", value: "(", state: "2201B"},
		"is null":                         {kind: "int4[]", row: null, op: "is", value: "null", want: true},
		"is true":                         {kind: "bool", row: "t", op: "is", value: "true", want: true},
		"is unknown":                      {kind: "bool", row: null, op: "is", value: "unknown", want: true},
		"is true of what is no boolean":   {kind: "int4", row: "1", op: "is", value: "true", state: "42804"},
		"a value that is SQL":             {kind: "text", row: "x", op: "eq", value: "x' OR '1'='1", negated: true},
		"a NUL":                           {kind: "text", row: "x", op: "eq", value: "\x00", state: "22021"},
		"an operator that does not exist": {kind: "text", row: "x", op: "; DROP", value: "x", state: "?"},
		"a truth that does not exist":     {kind: "bool", row: "t", op: "is", value: "maybe", state: "?"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Condition{Type: rowsType(t, d, tt.kind), Op: tt.op, Value: tt.value, Row: &tt.row}
			if tt.row == null {
				c.Row = nil
			}
			not := c
			not.Negate = true
			tests := []*Test{{Conditions: []Condition{c}}, {Conditions: []Condition{not}}}
			if err := d.Test(t.Context(), tests); err != nil {
				t.Fatal(err)
			}
			if tt.state != "" {
				for _, test := range tests {
					if test.Pass || test.Err == nil || tt.state != "?" && stateOf(test.Err) != tt.state {
						t.Errorf("%v, %v", test.Pass, test.Err)
					}
				}
				return
			}
			if tests[0].Err != nil || tests[0].Pass != tt.want {
				t.Errorf("%v, %v", tests[0].Pass, tests[0].Err)
			}
			if tests[1].Err != nil || tests[1].Pass != tt.negated {
				t.Errorf("negated: %v, %v", tests[1].Pass, tests[1].Err)
			}
		})
	}
}

func TestAllConditionsMustHold(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t)
	row := "5"
	is := func(value string) Condition {
		return Condition{Type: rowsType(t, d, "int4"), Op: "eq", Value: value, Row: &row}
	}
	tests := []*Test{
		{}, {Conditions: []Condition{is("5"), is("5")}}, {Conditions: []Condition{is("5"), is("6")}},
		{Conditions: []Condition{is("6"), is("5")}}, {Conditions: []Condition{is("5"), is("x")}}, {Conditions: []Condition{is("5")}},
	}
	for range 2 { // the second time, what was said before does not count
		if err := d.Test(t.Context(), tests); err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{true, true, false, false, false, true} {
			if tests[i].Pass != want || (tests[i].Err != nil) != (i == 4) {
				t.Errorf("test %d: %v, %v", i, tests[i].Pass, tests[i].Err)
			}
		}
	}
}

func TestConditionsThatAreAccepted(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, filterTypes)
	type try struct{ kind, op, value, state string }
	tries := []try{
		{"int4", "eq", "5", ""}, {"int4", "eq", "hey", "22P02"}, {"int4", "in", "{1,2}", ""}, {"int4", "in", "{1,x}", "22P02"},
		{"int4", "in", "{}", ""}, {"int4", "in", "{NULL,3}", ""}, {"json", "in", "{}", "42883"}, {"json", "eq", "{}", "42883"},
		{"text[]", "eq", "{a,b}", ""}, {"text[]", "is", "null", ""}, {"json[]", "eq", "{1}", "42883"},
		{"text", "like", `a\\`, ""}, {"text", "like", `a\`, "22025"}, {"text", "ilike", `a\\\`, "22025"}, {"text", "like", `\%`, ""},
		{"bytea", "like", `\x5c`, "22025"}, {"bytea", "like", `\x5c5c`, ""}, {"bytea", "eq", `\x1`, "22023"},
		{"text", "match", "a(", "2201B"}, {"text", "imatch", "a+", ""}, {"small", "eq", "11", "23514"}, {"small", "match", "1", "42883"},
		{"mood", "lt", "sad", ""}, {"pair", "eq", "(1,2)", ""}, {"pair", "eq", "(1,2", "22P02"}, {"point", "eq", "(1,2)", "42883"},
		{"bool", "is", "true", ""}, {"int4", "is", "true", "42804"}, {"name", "like", "a%", ""}, {"xml", "eq", "<a/>", "42883"},
	}
	var conditions []Condition
	for _, c := range tries {
		conditions = append(conditions, Condition{Type: rowsType(t, d, c.kind), Op: c.op, Value: c.value})
	}
	errs, err := d.Accept(t.Context(), conditions)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range tries {
		if stateOf(errs[i]) != c.state || (errs[i] != nil) != (c.state != "") {
			t.Errorf("%v: %v", c, errs[i])
		}
	}
	var answer *pgconn.PgError
	if !errors.As(errs[1], &answer) || answer.Message != `invalid input syntax for type integer: "hey"` {
		t.Errorf("%v", errs[1])
	}
}

func TestAConditionThatTakesTooLong(t *testing.T) {
	t.Parallel()
	// Reading a value of this type takes a minute.
	d := rowsDatabase(t, `CREATE FUNCTION slow(text) RETURNS boolean LANGUAGE sql AS $$ SELECT pg_sleep(60) IS NOT NULL $$;
		CREATE DOMAIN slow AS text CHECK (VALUE <> 'slow' OR slow(VALUE))`)
	d.rowLimit = 100 * time.Millisecond
	row := "fast"
	kind := rowsType(t, d, "slow")
	var tests []*Test
	for i := range 40 {
		c := Condition{Type: kind, Op: "eq", Value: "fast", Row: &row}
		if i%2 == 0 {
			c.Value = "slow"
		}
		tests = append(tests, &Test{Conditions: []Condition{c}})
	}
	start := time.Now()
	if err := d.Test(t.Context(), tests); err != nil {
		t.Fatal(err)
	}
	for i, test := range tests {
		if slow := i%2 == 0; test.Pass == slow || (stateOf(test.Err) == "57014") != slow {
			t.Errorf("test %d: %v, %v", i, test.Pass, test.Err)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestConditionsWithoutADatabase(t *testing.T) {
	t.Parallel()
	settings := rowsSettings(t)
	settings.Port = 1
	d := rowsOpen(t, settings)
	if err := d.Test(t.Context(), []*Test{{Conditions: []Condition{{Type: 23, Op: "eq", Value: "5"}}}}); !errors.Is(err, tutti.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := d.Accept(t.Context(), []Condition{{Type: 23, Op: "in", Value: "{5}"}}); !errors.Is(err, tutti.ErrUnavailable) {
		t.Error(err)
	}
}

package wal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

const types = `
	CREATE TYPE mood AS ENUM ('sad', 'so "so"');
	CREATE TYPE pair AS (a int, b text);
	CREATE TYPE "a ""q"" b" AS (v text, "n ""1""" numeric);
	CREATE DOMAIN years AS int;
	CREATE DOMAIN age AS years;
	CREATE DOMAIN doc AS jsonb;
	CREATE DOMAIN ages AS age[];
	CREATE DOMAIN couple AS pair;
	CREATE DOMAIN couples AS couple[];
	CREATE TYPE nest AS (i pair, l pair[], d couple, t timestamptz, b bytea, f boolean, j jsonb, m mood, n ages, v int2vector, x box[]);
	CREATE TYPE deep AS (n nest, o nest[], p couples);
	CREATE TYPE gone AS (a int, b text, c int); ALTER TYPE gone DROP ATTRIBUTE b;
	CREATE TABLE line_of (id int, t text);
	CREATE EXTENSION IF NOT EXISTS citext;`

// columns are types and some values of each. want is what a client gets where
// that is not to_jsonb of the value; by the values' order.
var columns = map[string]struct {
	values []string
	want   map[int]string
}{
	"int2": {values: []string{"-32768", "32767"}}, "int4": {values: []string{"0", "-2147483648"}},
	"int8":    {values: []string{"9223372036854775807", "-9223372036854775808"}},
	"numeric": {values: []string{"10.50", "123456789012345678901234567890.123456789", "NaN", "Infinity", "-Infinity", "0.000001"}},
	"float4":  {values: []string{"1.1", "1e30", "NaN", "-Infinity", "1e-30"}},
	"float8":  {values: []string{"1.1", "1e300", "1e-300", "NaN", "Infinity", "-0"}, want: map[int]string{5: "-0"}},
	"bool":    {values: []string{"true", "false"}},
	"text":    {values: []string{"", "a", "\"quoted\" \\ and\n\r\t\b\f\x01", "Grüße, 世界 🎵", "null", "<&>\u2028"}},
	"varchar": {values: []string{"a"}}, "varchar(3)": {values: []string{"abc"}}, "name": {values: []string{"a b"}},
	"char(5)": {values: []string{"abc", "ab de"}}, `"char"`: {values: []string{"q"}}, "xml": {values: []string{"<a>b</a>"}},
	"citext": {values: []string{"Ab"}}, "mood": {values: []string{"sad", `so "so"`}},
	"bit(4)": {values: []string{"1010"}}, "varbit": {values: []string{"101", ""}},
	"json":  {values: []string{`{"a": [1, 2.50,	null]}`, "[]", `"x"`, "null", "1.0e2"}},
	"jsonb": {values: []string{`{"b":1,"a":{"c":[true,"ü"]}}`, "null", "1.50", `"\u00e4\n"`}},
	"uuid":  {values: []string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
	"inet":  {values: []string{"192.168.0.1/24", "::1"}}, "cidr": {values: []string{"10.0.0.0/8"}},
	"macaddr": {values: []string{"08:00:2b:01:02:03"}}, "macaddr8": {values: []string{"08:00:2b:01:02:03:04:05"}},
	"pg_lsn": {values: []string{"16/B374D848"}}, "money": {values: []string{"1234.56"}}, "oid": {values: []string{"42"}},
	"regclass": {values: []string{"pg_class"}}, "regrole": {values: []string{"anon"}}, "xid8": {values: []string{"7"}}, "tid": {values: []string{"(1,2)"}},
	"int4range": {values: []string{"[1,5)", "empty"}}, "numrange": {values: []string{"(,1.5]"}},
	"tsrange": {values: []string{`["2024-01-01 00:00","2024-01-02 00:00")`}}, "tstzrange": {values: []string{`["2024-01-01 00:00+00",)`}},
	"daterange": {values: []string{"[2024-01-01,2024-02-01)"}}, "int8range": {values: []string{"[1,2)"}},
	"int4multirange": {values: []string{"{[1,2),[5,7)}"}}, "datemultirange": {values: []string{"{}"}},
	"tsvector": {values: []string{"'a':1 'b''c':2"}}, "tsquery": {values: []string{"'a' & 'b'"}}, "jsonpath": {values: []string{`$."a"`}},
	"point": {values: []string{"(1,2)"}}, "line": {values: []string{"{1,2,3}"}}, "lseg": {values: []string{"[(1,2),(3,4)]"}},
	"box": {values: []string{"(3,4),(1,2)"}}, "path": {values: []string{"((1,2),(3,4))"}}, "polygon": {values: []string{"((1,2),(3,4))"}},
	"circle": {values: []string{"<(1,2),3>"}},
	"date":   {values: []string{"2024-02-29", "infinity", "0044-03-15 BC", "12024-01-01"}},
	"time":   {values: []string{"04:05:06.789"}}, "timetz": {values: []string{"04:05:06+02", "04:05:06-03:30"}},
	"timestamp":    {values: []string{"2024-02-29 13:45:01.123456", "2024-02-29 00:00", "infinity", "-infinity", "0044-03-15 01:02:03 BC"}},
	"timestamptz":  {values: []string{"2024-02-29 13:45:01.5+02", "infinity", "0044-03-15 01:02:03+00 BC", "12024-01-01 00:00+00"}},
	"timestamp(0)": {values: []string{"2024-02-29 13:45:01.6"}},
	"interval":     {values: []string{"1 year 2 mons 3 days 04:05:06.789", "-1 day"}},
	"bytea":        {values: []string{`\xdeadbeef`, `\x`}, want: map[int]string{0: `"deadbeef"`, 1: `""`}},
	"int2vector":   {values: []string{"1 2 3", ""}}, "oidvector": {values: []string{"1 2"}},
	"int4[]":        {values: []string{"{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[2:3]={1,2}", "[0:0][5:6]={{1,2}}"}},
	"text[]":        {values: []string{`{a,"b,c","NULL",NULL,"q\"\\","",null,"{}"," "}`, `{{"ü"},{x}}`}},
	"bool[]":        {values: []string{"{t,f,NULL}"}},
	"numeric[]":     {values: []string{"{1.50,NaN,Infinity}"}},
	"float8[]":      {values: []string{"{1e300,-Infinity}"}},
	"json[]":        {values: []string{`{"{\"a\": \"b\"}","null",NULL,"[1,2]"}`}},
	"jsonb[]":       {values: []string{`{"{\"a\": [1]}",1}`}},
	"timestamp[]":   {values: []string{`{"2024-02-29 13:45:01",infinity}`}},
	"timestamptz[]": {values: []string{`{"2024-02-29 13:45:01+00"}`}},
	"date[]":        {values: []string{"{2024-02-29}"}},
	"bytea[]":       {values: []string{`{"\\x01"}`}},
	"box[]":         {values: []string{"{(3,4),(1,2);(1,1),(0,0)}"}},
	"point[]":       {values: []string{`{"(1,2)","(3,4)"}`}},
	"uuid[]":        {values: []string{"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"}},
	"char(3)[]":     {values: []string{"{ab,c}"}}, "bit(2)[]": {values: []string{"{10,01}"}},
	"int4range[]": {values: []string{`{"[1,2)",empty}`}},
	"mood[]":      {values: []string{`{sad,"so \"so\""}`}}, "citext[]": {values: []string{"{Ab}"}},
	"years": {values: []string{"7"}}, "age": {values: []string{"8"}}, "doc": {values: []string{`{"a":1}`}},
	"ages": {values: []string{"{1,NULL}"}}, "years[]": {values: []string{"{1,2}"}}, "doc[]": {values: []string{`{"{\"a\": 1}"}`}},
	"pair": {values: []string{
		`(1,"x y")`, "(,)", `(,"")`, `(1,null)`, `(1,"a ""b"" \\\\ , ( ) { } ")`, "(1,\"a\nb\t\")", `(-7," ")`, `(1,Grüße)`,
	}},
	`"a ""q"" b"`: {values: []string{`(x,1.50)`, `(,NaN)`}},
	"pair[]":      {values: []string{`{"(1,\"x y\")",NULL,"(,)"}`, "{}", `{{"(1,\"a \\\\\"\\\\\" b\")"},{"(2,)"}}`}},
	"couple":      {values: []string{`(1,"x y")`}}, "couple[]": {values: []string{`{"(1,b)"}`}}, "couples": {values: []string{`{"(1,b)",NULL}`}},
	"nest": {values: []string{
		`("(1,""x y"")","{""(1,\\""x y\\"")"",NULL}","(2,b)","2024-02-29 13:45:01.5+02",\\xdead,t,"{""a"": [1, null]}","so ""so""","{1,NULL}","1 2","{(3,4),(1,2);(1,1),(0,0)}")`,
		"(,,,,,,,,,,)", `("(,)",{},"(,)",infinity,"\\x",f,1,sad,{},"",{})`,
	}},
	"deep":      {values: []string{`("(""(1,b)"",,,,,,,,,,)","{""(,,,,,,,,,,)"",NULL}","{""(1,b)""}")`}},
	"gone":      {values: []string{"(1,2)"}},
	"line_of":   {values: []string{"(1,a)"}},
	"line_of[]": {values: []string{`{"(1,a)"}`}},
}

// Every type's value, as it comes through the stream, is what to_jsonb makes of
// it, digit by digit, save where the clients' protocol says otherwise.
func TestAppendJSON(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, types, "SET timezone = 'UTC'")
	r := feed(t, dsn)
	r.Catalog = catalogOf(t, dsn)
	names := make([]string, 0, len(columns))
	for name := range columns {
		names = append(names, name)
		psql(t, conn, fmt.Sprintf(`CREATE TABLE %[1]s (v %[2]s); ALTER PUBLICATION supabase_realtime ADD TABLE %[1]s`, quote("t "+name), name))
	}
	r.run(t)
	await[Live](t, r)
	for _, name := range names {
		tt := columns[name]
		for i, v := range append(tt.values, "NULL") {
			text := literal(v)
			if i == len(tt.values) {
				text = v
			}
			want := value[string](t, conn, fmt.Sprintf(
				`INSERT INTO %s VALUES (%s) RETURNING coalesce(to_jsonb(v)::text, 'null')`, quote("t "+name), text))
			if special, ok := tt.want[i]; ok {
				want = special
			}
			c := r.next(t).Changes[0]
			if got := string(AppendJSON(nil, &c.Table.Columns[0], c.New[0])); !sameJSON(t, got, want) {
				t.Errorf("%s %s: %s, want %s", name, v, got, want)
			}
		}
	}
}

// sameJSON compares two values, numbers by their exact value.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	parse := func(s string) (v any) {
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		return exact(v)
	}
	return reflect.DeepEqual(parse(a), parse(b))
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		r, _ := new(big.Rat).SetString(v.String())
		return "number " + r.RatString()
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}

func TestColumnTypes(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, types, "CREATE TABLE n (a int4[], b age, c ages, d mood[], e pair, f char(3)); ALTER PUBLICATION supabase_realtime ADD TABLE n")
	r := feed(t, dsn)
	r.Catalog = catalogOf(t, dsn)
	r.run(t)
	await[Live](t, r)
	psql(t, conn, "INSERT INTO n DEFAULT VALUES")
	var got []string
	for _, c := range r.next(t).Changes[0].Table.Columns {
		got = append(got, fmt.Sprintf("%s %s %q", c.Name, c.Type, c.Delim))
	}
	want := []string{`a _int4 ','`, `b age '\x00'`, `c ages ','`, `d _mood ','`, `e pair '\x00'`, `f bpchar '\x00'`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The built-in types are what this server's catalog says.
func TestBuiltins(t *testing.T) {
	t.Parallel()
	conn := open(t, postmastertest.Database(t))
	rows, err := conn.Query(t.Context(), `SELECT oid, typname::text, CASE WHEN typsubscript = 'array_subscript_handler'::regproc THEN typelem ELSE oid END
		FROM pg_type WHERE oid = ANY($1)`, slices.Collect(maps.Keys(builtins)))
	if err != nil {
		t.Fatal(err)
	}
	var oid, base uint32
	var name string
	n := 0
	if _, err := pgx.ForEachRow(rows, []any{&oid, &name, &base}, func() error {
		n++
		if b := builtins[oid]; b.name != name || b.base != base {
			t.Errorf("%d is %s of %d, not %+v", oid, name, base, b)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n < len(builtins)-10 { // a server of another version may lack some
		t.Errorf("it knows %d of %d", n, len(builtins))
	}
}

func TestTextThatIsNoneOfItsType(t *testing.T) {
	t.Parallel()
	couple := []tutti.Column{{Name: "a", Base: int4OID}, {Name: "b", Base: 25}}
	for name, tt := range map[string]struct {
		column tutti.Column
		in     string
		want   string
	}{
		"bytes that are not UTF-8":         {tutti.Column{Base: 25}, "a\xffb\xc3", `"a` + "\uFFFDb\uFFFD" + `"`},
		"JSON that is not UTF-8":           {tutti.Column{Base: jsonOID}, "\"\xff\"", "\"\uFFFD\""},
		"a number with a leading zero":     {tutti.Column{Base: int4OID}, "01", `"01"`},
		"a number without digits":          {tutti.Column{Base: int4OID}, "-", `"-"`},
		"a number with a bare exponent":    {tutti.Column{Base: float8OID}, "1e", `"1e"`},
		"an array that does not end":       {tutti.Column{Base: int4OID, Delim: ','}, "{1,2", `"{1,2"`},
		"an array with more behind it":     {tutti.Column{Base: int4OID, Delim: ','}, "{1}2", `"{1}2"`},
		"an array without braces":          {tutti.Column{Base: int4OID, Delim: ','}, "1", `"1"`},
		"an array of too many dimensions":  {tutti.Column{Base: int4OID, Delim: ','}, "{{{{{{{1}}}}}}}", `"{{{{{{{1}}}}}}}"`},
		"a composite without an end":       {tutti.Column{Fields: couple}, "(1,a", `"(1,a"`},
		"a composite with more behind it":  {tutti.Column{Fields: couple}, "(1,a)b", `"(1,a)b"`},
		"a composite of too few fields":    {tutti.Column{Fields: couple}, "(1)", `"(1)"`},
		"a composite of too many":          {tutti.Column{Fields: couple}, "(1,a,)", `"(1,a,)"`},
		"a composite with an open quote":   {tutti.Column{Fields: couple}, `(1,"a)`, `"(1,\"a)"`},
		"a composite with half an escape":  {tutti.Column{Fields: couple}, `(1,a\)`, `"(1,a\\)"`},
		"a composite that is nothing":      {tutti.Column{Fields: couple}, "", `""`},
		"a composite quoted in the middle": {tutti.Column{Fields: couple}, `(1,a", "b\,)`, `{"a":1,"b":"a, b,"}`},
		"a composite in an array that is none": {
			tutti.Column{Fields: couple, Delim: ','}, `{"(1,a)",x}`, `[{"a":1,"b":"a"},"x"]`,
		},
		"an array with an unclosed string": {tutti.Column{Base: 25, Delim: ','}, `{"a`, `"{\"a"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := string(AppendJSON([]byte("x"), &tt.column, tutti.Value{Kind: tutti.Text, Text: []byte(tt.in)}))
			if got != "x"+tt.want {
				t.Errorf("got %s, want x%s", got, tt.want)
			}
		})
	}
}

func FuzzAppendJSON(f *testing.F) {
	for name, tt := range columns {
		for _, v := range tt.values {
			delim := byte(0)
			if strings.HasSuffix(name, "[]") {
				delim = ','
			}
			f.Add(uint32(25), delim, false, []byte(v))
			f.Add(uint32(0), delim, true, []byte(v))
		}
	}
	f.Fuzz(func(t *testing.T, base uint32, delim byte, composite bool, text []byte) {
		if base == jsonOID || base == jsonbOID {
			return // is copied
		}
		in := bytes.Clone(text)
		c := tutti.Column{Base: base, Delim: delim}
		if composite {
			inner := []tutti.Column{{Name: "a", Base: base}, {Name: `"b"`, Base: 25}}
			c.Fields = []tutti.Column{{Name: "c", Fields: inner}, {Name: "d", Fields: inner, Delim: ','}}
		}
		out := AppendJSON([]byte("x"), &c, tutti.Value{Kind: tutti.Text, Text: text})
		if out[0] != 'x' || !json.Valid(out[1:]) || !utf8.Valid(out) {
			t.Errorf("%q becomes %q", in, out)
		}
		if !bytes.Equal(in, text) {
			t.Errorf("%q was changed to %q", in, text)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	for name, tt := range map[string]struct {
		column tutti.Column
		text   string
	}{
		"text":        {tutti.Column{Base: 25}, strings.Repeat("a plain text ", 20)},
		"int8":        {tutti.Column{Base: int8OID}, "9223372036854775807"},
		"timestamptz": {tutti.Column{Base: timestamptzOID}, "2024-02-29 11:45:01.123456+00"},
		"composite":   {tutti.Column{Fields: []tutti.Column{{Name: "a", Base: int4OID}, {Name: "b", Base: 25}}}, `(1,"x y")`},
		"text array":  {tutti.Column{Base: 25, Delim: ','}, `{one,two,"thr\"ee",NULL}`},
	} {
		b.Run(name, func(b *testing.B) {
			v := tutti.Value{Kind: tutti.Text, Text: []byte(tt.text)}
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendJSON(dst[:0], &tt.column, v)
			}
		})
	}
}

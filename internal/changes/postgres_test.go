package changes

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// A sample is a type with values to try of it, among them some that are none.
type sample struct {
	column Column
	cast   string // how the type is written in a cast; a collation may follow
	after  string
	values []string
	random *rapid.Generator[string]
}

func samples() map[string]sample {
	words := rapid.StringOfN(rapid.RuneFrom([]rune(`abAB01 %_\.ßéı",{}(`)), 0, 6, -1)
	numbers := rapid.StringMatching(`[+-]?[0-9]{0,4}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,2})?`)
	texts := []string{"", "a", "A", "ab", "a%", "%a", "a_", `a\%`, "x  ", "é", "É", "abc", "%b%", "a.c", "^a", "[a-c]+", "(a|b)$", "NULL"}
	integers := []string{"0", "-0", "1", "-1", " 7 ", "+7", "007", "32767", "32768", "-2147483648", "2147483648", "9223372036854775807", "9223372036854775808", "x", "", "1.0", "1e3", "+", "0x1f", "1_000"}
	decimals := []string{"0", "-0", "0.0", "1", "1.0", "1.10", "1.1", "-1.1", "10", "1e1", "1E+1", "NaN", "nan", "Infinity", "-infinity", "inf", "+inf", "-inf", "1e-5", "0.00001", "123456789012345678901234567890.5", "123456789012345678901234567890.50", ".5", "5.", ".", "", "x", "1e", "--1", "1e400", "1e-400", "0.1", "1 2"}
	dates := []string{"2024-02-29", "2023-02-29", "infinity", "-infinity", "today", "2024-02-29 BC", "0001-01-01", "1999-12-31", "hey", "20240229", "2024-2-9"}
	stamps := []string{"2024-02-29 13:45:01.123456", "2024-02-29T13:45:01.123456", "2024-02-29 13:45:01", "2024-02-29 13:45:01.1", "2024-02-29 11:45:01.123456+00", "2024-02-29 13:45:01.123456+02", "2024-02-29 13:45:01.123456+02:00", "2024-02-29T11:45:01.123456Z", "2024-02-29", "infinity", "-infinity", "1969-12-31 23:59:59.999999-11:30", "hey", "2024-02-29 24:00:00", "2024-02-29 13:45:60", "10000-01-01 00:00:00"}
	uuids := []string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "hey", "", "{a0eebc999c0b4ef8bb6d6bb9bd380a11"}
	return map[string]sample{
		"int2":        {Column{Type: oidInt2, SQLName: "smallint", Category: 'N'}, "int2", "", integers, numbers},
		"int4":        {Column{Type: oidInt4, SQLName: "integer", Category: 'N'}, "int4", "", integers, numbers},
		"int8":        {Column{Type: oidInt8, SQLName: "bigint", Category: 'N'}, "int8", "", integers, numbers},
		"float4":      {Column{Type: oidFloat4, SQLName: "real", Category: 'N'}, "float4", "", decimals, numbers},
		"float8":      {Column{Type: oidFloat8, SQLName: "double precision", Category: 'N'}, "float8", "", decimals, numbers},
		"numeric":     {Column{Type: oidNumeric, SQLName: "numeric", Category: 'N'}, "numeric", "", decimals, numbers},
		"bool":        {Column{Type: oidBool, SQLName: "boolean", Category: 'B'}, "bool", "", []string{"t", "f", "true", "FALSE", "tru", "y", "no", "on", "of", "o", "off", "1", "0", "2", "", " t "}, words},
		"text":        {Column{Type: oidText, SQLName: "text", Category: 'S'}, "text", "", texts, words},
		"text in C":   {Column{Type: oidText, SQLName: "text", Category: 'S', Collation: ByteOrder}, "text", ` COLLATE "C"`, texts, words},
		"varchar":     {Column{Type: oidVarchar, SQLName: "character varying", Category: 'S'}, "varchar", "", texts, words},
		"char":        {Column{Type: oidBPChar, SQLName: "character", Category: 'S', Collation: ByteOrder}, "bpchar", ` COLLATE "C"`, texts, words},
		"uuid":        {Column{Type: oidUUID, SQLName: "uuid", Category: 'U'}, "uuid", "", uuids, words},
		"date":        {Column{Type: oidDate, SQLName: "date", Category: 'D'}, "date", "", dates, rapid.StringMatching(`20[0-9]{2}-[01][0-9]-[0-3][0-9]`)},
		"timestamp":   {Column{Type: oidTimestamp, SQLName: "timestamp without time zone", Category: 'D'}, "timestamp", "", stamps, rapid.StringMatching(`2024-0[1-9]-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?`)},
		"timestamptz": {Column{Type: oidTimestampTZ, SQLName: "timestamp with time zone", Category: 'D'}, "timestamptz", "", stamps, rapid.StringMatching(`2024-0[1-9]-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,6})?[+-][01][0-9](:[0-6]0)?`)},
		"bytea":       {Column{Type: oidBytea, SQLName: "bytea", Category: 'U'}, "bytea", "", []string{`\x`, `\x01`, `\x01ff`, `\x01FF`, `\xg0`, `\x1`, `\x01 ff`}, rapid.StringMatching(`\\x([0-9a-f][0-9a-f]){0,3}`)},
		"enum":        {Column{Type: 16500, SQLName: "mood", Category: 'E', Labels: []string{"happy", "angry", "So So"}}, "mood", "", []string{"happy", "angry", "So So", "hey", "", "HAPPY", " happy"}, words},
	}
}

// sqlOf returns the condition as the reference evaluates it: the value cast to
// the column's type, the filter's value too.
func sqlOf(f Filter, s sample) string {
	column := "($1::text)::" + s.cast + s.after
	value := "($2::text)::" + s.cast + s.after
	not := map[bool]string{true: "NOT "}[f.Negate]
	switch f.Op {
	case In:
		value = "ANY(($2::text)::" + s.cast + "[])"
		return not + "(" + column + " = " + value + ")"
	case Is:
		return column + " IS " + not + f.Value + " AND $2::text IS NOT NULL"
	case IsDistinct:
		return column + " IS " + map[bool]string{true: "NOT "}[f.Negate] + "DISTINCT FROM " + value
	}
	operator := map[Op]string{Eq: "=", Neq: "<>", Lt: "<", Lte: "<=", Gt: ">", Gte: ">=", Like: "LIKE", ILike: "ILIKE", Match: "~", IMatch: "~*"}[f.Op]
	return not + "(" + column + " " + operator + " " + value + ")"
}

func drawFilter(t *rapid.T, s sample) Filter {
	value := rapid.OneOf(rapid.SampledFrom(s.values), s.random)
	f := Filter{Column: "c", Op: rapid.SampledFrom(ops()).Draw(t, "op"), Negate: rapid.Bool().Draw(t, "negate")}
	switch f.Op {
	case Is:
		f.Value = rapid.SampledFrom([]string{"null", "true", "false", "unknown"}).Draw(t, "is")
	case In:
		f.Value = "{" + strings.Join(rapid.SliceOfN(value, 0, 3).Draw(t, "in"), ",") + "}"
		if s.column.Type == oidBytea {
			// Bytes without \x mean another thing in the reference than in SQL.
			f.Value = strings.ReplaceAll(f.Value, `\`, `\\`)
		}
	default:
		f.Value = value.Draw(t, "value")
	}
	return f
}

// Whatever the matcher decides, PostgreSQL decides too, and what one refuses
// the other does.
func TestFiltersMeanWhatTheyMeanToPostgreSQL(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), postmastertest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, sql := range []string{"CREATE TYPE mood AS ENUM ('happy', 'angry', 'So So')", "SET TimeZone = 'UTC'", "SET DateStyle = 'ISO'"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range samples() {
		t.Run(name, func(t *testing.T) {
			decided := 0
			rapid.Check(t, func(rt *rapid.T) {
				for range 10 {
					if agree(rt, conn, s) {
						decided++
					}
				}
			})
			t.Logf("decided %d", decided)
			if decided < 100 {
				t.Error("nearly everything is left to PostgreSQL")
			}
		})
	}
}

// agree compares one row and filter, and reports whether it was decided here.
func agree(t *rapid.T, conn *pgx.Conn, s sample) bool {
	s.column.Name, s.column.Selectable = "c", true
	row := tutti.Value{Kind: tutti.Null}
	var in *string
	if !rapid.Bool().Draw(t, "null") || rapid.Bool().Draw(t, "null again") {
		raw := rapid.OneOf(rapid.SampledFrom(s.values), s.random).Draw(t, "row")
		// What of the value reaches the server in a change is its output.
		var out string
		if err := conn.QueryRow(t.Context(), "SELECT (($1::text)::"+s.cast+")::text", pgx.QueryExecModeExec, raw).Scan(&out); err != nil {
			return false
		}
		if s.column.Type == oidBPChar {
			out = raw // a cast to text drops the padding, a change does not
		}
		if s.column.Type == oidBool {
			out = out[:1]
		}
		in, row = &out, tutti.Value{Kind: tutti.Text, Text: []byte(out)}
	}
	f := drawFilter(t, s)
	c, refused := compile(f, &s.column)
	var want *bool
	err := conn.QueryRow(t.Context(), "SELECT "+sqlOf(f, s), pgx.QueryExecModeExec, in, f.Value).Scan(&want)
	var pgErr *pgconn.PgError
	errors.As(err, &pgErr)
	switch {
	case refused != nil && err == nil:
		// PostgreSQL need not read what it compares with null, nor reach the end
		// of a pattern, and does not know the reference's own checks.
		if in == nil || refused.state == "P0001" || refused.state == "22025" {
			return false
		}
		t.Fatalf("%v refused with %q, PostgreSQL takes it", f, refused.text)
	case refused != nil && (refused.state != pgErr.Code || refused.text != pgErr.Message) && refused.state != "P0001":
		t.Fatalf("%v refused with %v, PostgreSQL has %v", f, *refused, pgErr)
	case refused != nil:
		return true
	}
	got := c.judge(row)
	if got == Ask {
		return false
	}
	if err != nil {
		if in == nil && c.ask { // of no row at all, PostgreSQL still reads the filter
			return false
		}
		t.Fatalf("%v on %v judged %v, PostgreSQL has %v", f, row, got, err)
	}
	if (got == Yes) != (want != nil && *want) {
		t.Fatalf("%v on %q judged %v", f, row.Text, got)
	}
	return true
}

package changes

import (
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// plainly writes numbers and booleans as they are, all else as strings.
func plainly(dst []byte, c tutti.Column, v tutti.Value) []byte {
	switch {
	case v.Kind == tutti.Null:
		return append(dst, "null"...)
	case c.TypeOID == oidInt4:
		return append(dst, v.Text...)
	case c.TypeOID == oidBool:
		return append(dst, map[string]string{"t": "true", "f": "false"}[string(v.Text)]...)
	}
	return phoenix.AppendString(dst, string(v.Text))
}

// notes is a table of which a column may not be seen.
func notes() *Relation {
	r := todos()
	r.Name, r.Columns = "notes", r.Columns[:3]
	r.Columns = append(r.Columns, Column{Name: "x", Type: oidText, TypeName: "text", SQLName: "text", Category: 'S'})
	return r
}

func TestAChangeAsClientsGetIt(t *testing.T) {
	t.Parallel()
	const begin = `{"schema":"public","table":"notes","type":"`
	const when = `","commit_timestamp":"2026-01-02T03:04:05.678Z","columns":[{"name":"id","type":"int4"},{"name":"title","type":"text"},{"name":"done","type":"bool"}],`
	row := map[string]string{"id": "1", "title": "b\"", "done": "NULL", "x": "secret"}
	long := map[string]string{"id": "1", "title": strings.Repeat("x", 63), "done": "NULL"}
	short := map[string]string{"id": "1", "title": strings.Repeat("x", 62), "done": "t"}
	for name, tt := range map[string]struct {
		kind   tutti.ChangeKind
		new    map[string]string
		old    map[string]string
		sel    []string
		large  bool
		change func(r *Relation)
		want   string
	}{
		"INSERT":                          {kind: tutti.Insert, new: row, want: begin + `INSERT` + when + `"record":{"id":1,"done":null,"title":"b\""},"errors":null}`},
		"UPDATE of a row whose key stays": {kind: tutti.Update, new: row, want: begin + `UPDATE` + when + `"record":{"id":1,"done":null,"title":"b\""},"old_record":{"id":1},"errors":null}`},
		"UPDATE of the key":               {kind: tutti.Update, new: row, old: map[string]string{"id": "7"}, want: begin + `UPDATE` + when + `"record":{"id":1,"done":null,"title":"b\""},"old_record":{"id":7},"errors":null}`},
		"UPDATE that leaves a long value as it is": {kind: tutti.Update, new: map[string]string{"id": "1", "title": "UNCHANGED", "done": "t"},
			want: begin + `UPDATE` + when + `"record":{"id":1,"done":true},"old_record":{"id":1},"errors":null}`},
		"UPDATE that does so with full identity": {kind: tutti.Update, new: map[string]string{"id": "1", "title": "UNCHANGED", "done": "t"}, old: map[string]string{"id": "1", "title": "a", "done": "f"},
			want: begin + `UPDATE` + when + `"record":{"id":1,"done":true,"title":"a"},"old_record":{"id":1,"done":false,"title":"a"},"errors":null}`},
		"DELETE":                    {kind: tutti.Delete, old: map[string]string{"id": "1"}, want: begin + `DELETE` + when + `"old_record":{"id":1},"errors":null}`},
		"DELETE with full identity": {kind: tutti.Delete, old: row, want: begin + `DELETE` + when + `"old_record":{"id":1,"done":null,"title":"b\""},"errors":null}`},
		"DELETE under row-level security": {kind: tutti.Delete, old: row, change: func(r *Relation) { r.RLS = true },
			want: begin + `DELETE` + when + `"old_record":{"id":1},"errors":null}`},
		"DELETE without any rights": {kind: tutti.Delete, old: row, change: func(r *Relation) {
			for i := range r.Columns {
				r.Columns[i].Selectable = false
			}
		}, want: begin + `DELETE","commit_timestamp":"2026-01-02T03:04:05.678Z","columns":[],"old_record":{},"errors":null}`},
		"selected columns come with the key": {kind: tutti.Insert, new: row, sel: []string{"done"},
			want: begin + `INSERT","commit_timestamp":"2026-01-02T03:04:05.678Z","columns":[{"name":"id","type":"int4"},{"name":"done","type":"bool"}],"record":{"id":1,"done":null},"errors":null}`},
		"of a large row short values stay": {kind: tutti.Insert, new: short, large: true,
			want: begin + `INSERT` + when + `"record":{"id":1,"done":true,"title":"` + strings.Repeat("x", 62) + `"},"errors":["Error 413: Payload Too Large"]}`},
		"long ones and nulls do not": {kind: tutti.Update, new: long, large: true,
			want: begin + `UPDATE` + when + `"record":{"id":1},"old_record":{"id":1},"errors":["Error 413: Payload Too Large"]}`},
		"INSERT without a primary key": {kind: tutti.Insert, new: row, change: func(r *Relation) { r.Columns[0].Primary = false },
			want: begin + `INSERT","commit_timestamp":null,"columns":[],"record":{},"errors":["Error 400: Bad Request, no primary key"]}`},
		"DELETE without a primary key": {kind: tutti.Delete, old: row, change: func(r *Relation) { r.Columns[0].Primary = false },
			want: begin + `DELETE` + when + `"old_record":{"id":1,"done":null,"title":"b\""},"errors":null}`},
		"UPDATE with a key that may not be seen": {kind: tutti.Update, new: row, change: func(r *Relation) { r.Columns[0].Selectable = false },
			want: begin + `UPDATE","commit_timestamp":null,"columns":[],"record":{},"old_record":{},"errors":["Error 401: Unauthorized"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := notes()
			if tt.change != nil {
				tt.change(r)
			}
			table := tableOf(r)
			c := &tutti.Change{Table: table, Kind: tt.kind}
			if tt.new != nil {
				c.New = valuesOf(table, tt.new)
			}
			if tt.old != nil {
				c.Old = valuesOf(table, tt.old)
			}
			v := NewView(r, tt.sel, table, plainly)
			committed := time.Date(2026, 1, 2, 4, 4, 5, 678_999_000, time.FixedZone("", 3600))
			got := string(v.Append(nil, c, committed, tt.large))
			if got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			if !phoenix.Object([]byte(got)) {
				t.Error("that is no JSON")
			}
		})
	}
}

func TestTheSizeOfAChangeGrowsWithItsValues(t *testing.T) {
	t.Parallel()
	table := tableOf(notes())
	c := &tutti.Change{Table: table, Kind: tutti.Insert, New: valuesOf(table, map[string]string{"id": "1", "title": strings.Repeat("x", 1<<20)})}
	if n := Size(c); n < 1<<20 || n > 1<<20+1000 {
		t.Errorf("%d", n)
	}
}

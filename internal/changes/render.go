package changes

import (
	"cmp"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// Texts that stand in a change's errors.
const (
	noPrimaryKey = `["Error 400: Bad Request, no primary key"]`
	unauthorized = `["Error 401: Unauthorized"]`
	tooLarge     = `["Error 413: Payload Too Large"]`
)

// smallValue is the length in bytes of JSON up to which a value is kept in a
// change that is too large.
const smallValue = 64

// AppendValue appends a value as JSON; the value is Null or Text.
type AppendValue func(dst []byte, c tutti.Column, v tutti.Value) []byte

// A View is how those with the same rights and the same select see the changes
// of a table. It never changes.
type View struct {
	table   *tutti.Table
	value   AppendValue
	rls     bool
	keyless bool   // there is no primary key
	refused bool   // a column of it may not be selected
	columns []byte // JSON of those that are seen
	visible []seen // of those that are seen, in the order of keys in a record
}

// A seen is a column that is seen, and where it is in a change.
type seen struct {
	at      int
	primary bool
	key     []byte // its name as JSON, with a colon
}

// NewView returns the view of a relation for a subscription's select, nil for
// all columns, on changes of a table. Database, section 3.5.
func NewView(r *Relation, selected []string, t *tutti.Table, value AppendValue) *View {
	v := &View{table: t, value: value, rls: r.RLS, keyless: true, columns: []byte{'['}}
	for _, c := range r.Columns {
		if c.Primary {
			v.keyless = false
			v.refused = v.refused || !c.Selectable
		}
		if !c.Selectable || selected != nil && !c.Primary && !slices.Contains(selected, c.Name) {
			continue
		}
		if len(v.columns) > 1 {
			v.columns = append(v.columns, ',')
		}
		v.columns = phoenix.AppendString(append(v.columns, `{"name":`...), c.Name)
		v.columns = append(phoenix.AppendString(append(v.columns, `,"type":`...), c.TypeName), '}')
		if at := Position(t, c.Name); at >= 0 {
			v.visible = append(v.visible, seen{at, c.Primary, append(phoenix.AppendString(nil, c.Name), ':')})
		}
	}
	v.columns = append(v.columns, ']')
	// The order of jsonb: shorter keys first.
	slices.SortFunc(v.visible, func(a, b seen) int {
		x, y := t.Columns[a.at].Name, t.Columns[b.at].Name
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
	})
	return v
}

// Append appends the data of a change of the view's table, as clients get it.
// Large says that the change is larger than max_record_bytes, so that only
// small values are kept. Protocol, section 3.11.
func (v *View) Append(dst []byte, c *tutti.Change, committed time.Time, large bool) []byte {
	dst = phoenix.AppendString(append(dst, `{"schema":`...), c.Table.Schema)
	dst = phoenix.AppendString(append(dst, `,"table":`...), c.Table.Name)
	dst = append(append(dst, `,"type":"`...), c.Kind.String()...)
	if c.Kind != tutti.Delete && (v.keyless || v.refused) {
		return v.appendRefusal(dst, c.Kind)
	}
	dst = append(dst, `","commit_timestamp":"`...)
	dst = committed.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(append(dst, `","columns":`...), v.columns...)
	if c.Kind != tutti.Delete {
		dst = append(dst, `,"record":`...)
		dst = v.appendRecord(dst, large, func(p seen) tutti.Value { return NewValue(c, p.at) })
	}
	if c.Kind != tutti.Insert {
		dst = append(dst, `,"old_record":`...)
		dst = v.appendRecord(dst, large, func(p seen) tutti.Value {
			if c.Kind == tutti.Delete && v.rls && !p.primary {
				return tutti.Value{}
			}
			return oldValue(c, p.at)
		})
	}
	dst = append(dst, `,"errors":`...)
	if large {
		return append(append(dst, tooLarge...), '}')
	}
	return append(dst, `null}`...)
}

func (v *View) appendRefusal(dst []byte, kind tutti.ChangeKind) []byte {
	dst = append(dst, `","commit_timestamp":null,"columns":[],"record":{}`...)
	if kind == tutti.Update {
		dst = append(dst, `,"old_record":{}`...)
	}
	dst = append(dst, `,"errors":`...)
	if v.keyless {
		return append(append(dst, noPrimaryKey...), '}')
	}
	return append(append(dst, unauthorized...), '}')
}

// NewValue returns a column of the new row. What was left untouched out of line
// is taken from the old row, if that was sent.
func NewValue(c *tutti.Change, at int) tutti.Value {
	if c.New[at].Kind == tutti.Unchanged && c.Old != nil {
		return c.Old[at]
	}
	return c.New[at]
}

// oldValue returns a column of the replica identity as it was. PostgreSQL sends
// no old row with an UPDATE that leaves the identity as it is.
func oldValue(c *tutti.Change, at int) tutti.Value {
	switch {
	case c.Old != nil:
		return c.Old[at]
	case c.Kind == tutti.Update && c.Table.Columns[at].Key:
		return c.New[at]
	}
	return tutti.Value{}
}

// appendRecord appends the columns that are seen and have a value.
func (v *View) appendRecord(dst []byte, large bool, value func(seen) tutti.Value) []byte {
	dst = append(dst, '{')
	begin := len(dst)
	for _, p := range v.visible {
		val := value(p)
		if val.Kind != tutti.Text && (val.Kind != tutti.Null || large) {
			continue
		}
		before := len(dst)
		if before > begin {
			dst = append(dst, ',')
		}
		dst = append(dst, p.key...)
		start := len(dst)
		dst = v.value(dst, v.table.Columns[p.at], val)
		if large && len(dst)-start > smallValue {
			dst = dst[:before]
		}
	}
	return append(dst, '}')
}

// Size returns about how many bytes a change is as the reference counts it
// against max_record_bytes: a JSON object with a name, type, type number and
// value for each column of each row. It is an estimate from above, in which
// escapes are not counted.
func Size(c *tutti.Change) int {
	const frame, perColumn = 160, 48
	n := frame + len(c.Table.Schema) + len(c.Table.Name)
	for _, row := range [...][]tutti.Value{c.New, c.Old} {
		for i, v := range row {
			if v.Kind == tutti.Text || v.Kind == tutti.Null {
				n += perColumn + len(c.Table.Columns[i].Name) + len(c.Table.Columns[i].Type) + len(v.Text)
			}
		}
	}
	return n
}

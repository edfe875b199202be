package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrStale says that a table is not as the catalog has it: it has another name, or
// is gone, or its key is. The catalog is to be read again, and the look repeated.
// If that does not help, it is a policy that uses what does not exist.
var ErrStale = errors.New("the table is not what it was")

// A Viewer is somebody whose rights count.
type Viewer struct {
	Role   string
	Claims []byte // JSON, as policies find it in request.jwt.claims
}

// A Look is an inquiry about some rows of a table: which of them may a viewer
// see?
type Look struct {
	Viewer *Viewer
	Table  *Relation // of a Catalog
	// Keys are the rows: values of the primary key's columns in the order of
	// Table.Columns, as PostgreSQL writes them.
	Keys [][]string
	Seen []bool // set by Visible: one for each of Keys
	// Err is set by Visible, too, and is of this look alone: the *pgconn.PgError
	// of a policy that raises, of a role that is gone, of a missing grant, of a
	// timeout (57014), maybe wrapped with ErrStale. Nothing is Seen with it.
	Err error
}

// Visible says which rows viewers would see now, if they selected them by primary
// key. It takes about as long as the database needs: looks are not waited for
// one by one. An error says that nothing can be said of any look; it wraps
// tutti.ErrUnavailable where the database gave no answer.
func (d *Database) Visible(ctx context.Context, looks []*Look) error {
	inquiries := make([]*inquiry, 0, len(looks))
	selections := map[*Relation]*selection{}
	kinds := map[statementKey]string{}
	for _, l := range looks {
		l.Seen, l.Err = make([]bool, len(l.Keys)), nil
		s := selections[l.Table]
		if s == nil {
			s = newSelection(l.Table)
			selections[l.Table] = s
		}
		q, err := l.inquiry(s)
		if err != nil {
			l.Err = err
			q = &inquiry{err: err}
		} else {
			group := statementKey{role: l.Viewer.Role, sql: s.name}
			if kinds[group] == "" {
				kinds[group] = l.Viewer.Role + " " + s.name
			}
			q.kind = kinds[group]
		}
		inquiries = append(inquiries, q)
	}
	if err := d.ask(ctx, inquiries); err != nil {
		return fmt.Errorf("look at rows: %w", err)
	}
	for i, l := range looks {
		if l.Err = inquiries[i].err; l.Err != nil {
			clear(l.Seen)
		}
	}
	return nil
}

// inquiry returns what is asked for a look.
func (l *Look) inquiry(s *selection) (*inquiry, error) {
	if err := l.Viewer.check(); err != nil {
		return nil, err
	}
	if s.keys == 0 {
		return nil, fmt.Errorf("table %s has no primary key", s.name)
	}
	for _, key := range l.Keys {
		if len(key) != s.keys {
			return nil, fmt.Errorf("table %s: a key of %d values, not %d", s.name, len(key), s.keys)
		}
	}
	q := &inquiry{viewer: l.Viewer, relation: s.name, oid: l.Table.OID}
	switch len(l.Keys) {
	case 0:
	case 1:
		values := make([][]byte, s.keys)
		for i, v := range l.Keys[0] {
			values[i] = []byte(v)
		}
		q.clauses = []clause{{sql: s.one, values: values, row: func([][]byte) { l.Seen[0] = true }}}
	default:
		q.clauses = []clause{{sql: s.many, values: arrays(l.Keys), binary: true, row: func(values [][]byte) {
			if n, err := strconv.Atoi(string(values[0])); err == nil && n >= 1 && n <= len(l.Seen) {
				l.Seen[n-1] = true
			}
		}}}
	}
	return q, nil
}

// check refuses what PostgreSQL would not take as the name of a role, but as the
// wish to be who logged in.
func (v *Viewer) check() error {
	if v.Role == "none" {
		return &pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "22023", Message: `role "none" does not exist`}
	}
	return nil
}

// A selection is how rows of a table are asked for by their keys.
type selection struct {
	name string // quoted
	keys int    // columns of the primary key
	one  string
	many string
}

// newSelection returns the selection of a table. Keys are compared after a cast to the
// column's type, under all domains and without modifiers, so that nothing is cut
// off. In many the cast stands in a subquery of its own (OFFSET 0 keeps it
// there): beside the comparison it would count as something that may leak rows,
// so that PostgreSQL would evaluate policies first, for the whole table, instead
// of using the key's index.
//
// ONLY, as rows of a table that inherits are changes of that table.
func newSelection(r *Relation) *selection {
	s := &selection{name: pgx.Identifier{r.Schema, r.Name}.Sanitize()}
	var params, casts, names, one, many []string
	for _, c := range r.Columns {
		if !c.Primary {
			continue
		}
		s.keys++
		n, column := strconv.Itoa(s.keys), pgx.Identifier{c.Name}.Sanitize()
		params = append(params, "(SELECT $"+n+"::text[])")
		names = append(names, "v"+n)
		casts = append(casts, "v"+n+"::"+c.cast+" AS v"+n)
		one = append(one, "t."+column+" = $"+n+"::"+c.cast)
		many = append(many, "t."+column+" = k.v"+n)
	}
	from := "ONLY " + s.name
	if r.partitioned {
		from = s.name
	}
	s.one = "SELECT 1 FROM " + from + " t WHERE " + strings.Join(one, " AND ")
	s.many = "SELECT k.n FROM (SELECT n, " + strings.Join(casts, ", ") +
		" FROM unnest(" + strings.Join(params, ", ") + ") WITH ORDINALITY u (" + strings.Join(names, ", ") + ", n) OFFSET 0) k" +
		" JOIN " + from + " t ON " + strings.Join(many, " AND ")
	return s
}

const textOID = 25

// arrays returns the columns of keys, each as a text[] in the binary format: the
// number of dimensions, whether there are NULLs, the type of elements; for each
// dimension its length and lower bound; the elements, each behind its length.
func arrays(keys [][]string) [][]byte {
	columns := make([][]byte, len(keys[0]))
	for i := range columns {
		size := 20
		for _, key := range keys {
			size += 4 + len(key[i])
		}
		b := make([]byte, 0, size)
		for _, n := range []uint32{1, 0, textOID, uint32(len(keys)), 1} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		for _, key := range keys {
			b = binary.BigEndian.AppendUint32(b, uint32(len(key[i])))
			b = append(b, key[i]...)
		}
		columns[i] = b
	}
	return columns
}

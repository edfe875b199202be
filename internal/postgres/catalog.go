package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// catalogTimeout bounds one look at the catalog. Hundreds of tables take some
// tens of milliseconds; more than that is waiting for somebody's ALTER TABLE.
const catalogTimeout = 20 * time.Second

// A Catalog is what a publication publishes, and what some roles may see of it.
// It is a snapshot, and never changed.
type Catalog struct {
	Missing   bool             // there is no such publication
	Relations []*Relation      // by the bytes of schema and name
	Roles     map[string]*Role // of those asked for, the ones that exist
}

// A Relation is a published table: a partitioned one where the publication
// publishes by the root, else each of its partitions.
type Relation struct {
	OID      uint32
	Schema   string
	Name     string
	RLS      bool     // row-level security is on
	Force    bool     // also for the owner
	Columns  []Column // by number, dropped ones left out
	Policies []Policy // those for SELECT or ALL, by name

	partitioned bool
}

// A Column is a column of a Relation.
type Column struct {
	Name      string
	Number    int16
	Type      uint32    // OID, of a domain its own
	TypeName  string    // pg_type.typname
	SQLName   string    // format_type without modifier, as the session's search_path has it
	Qualified string    // the same with an empty search_path, as expressions of policies have it
	Category  byte      // pg_type.typcategory
	Domain    bool      // the type is a domain
	Labels    []string  // of an enum, in their order; nil for other types
	Collation Collation // of text
	Primary   bool      // part of the primary key
	Published bool      // in the stream: no column list leaves it out, and it is not generated

	cast string // qualified name of the type, under all domains
}

// A Policy is a policy of a Relation that says which rows may be selected.
type Policy struct {
	Name       string
	Permissive bool
	Roles      []string // nil: everybody. Privilege.Policies says to whom it applies
	// Using is the expression, names outside pg_catalog qualified. "": there is
	// none, and the policy counts for nothing.
	Using string
	// Columns are those of the table that the expression depends on, by number.
	// Of a policy for ALL they and Functions may be more, because WITH CHECK
	// counts.
	Columns   []string
	All       bool       // it depends on the whole row, or on system columns
	Functions []Function // not built in, that it calls itself, also by operators
	Operators bool       // it uses operators that are not built in
	Relations []uint32   // tables that it reads
}

// A Function is one that somebody has made.
type Function struct {
	Schema          string
	Name            string
	Arguments       string // by which it is told from others of its name
	Result          string // type of what it returns
	Language        string
	Volatility      byte // i, s or v
	Body            string
	SecurityDefiner bool
	Config          []string // settings for its duration, name=value
}

// A Role is what a role may see of the published tables.
type Role struct {
	Name       string
	Privileges map[uint32]Privilege // by Relation.OID
}

// A Privilege is what a role may see of a table.
type Privilege struct {
	Selectable []bool // of each of Relation.Columns
	Usage      bool   // of the schema, without which no SELECT gets far
	// Exempt says that row-level security is off for the role: it is a superuser,
	// has BYPASSRLS, has the owner's privileges without FORCE, or the table has
	// none.
	Exempt   bool
	Policies []int // of Relation.Policies, those that apply unless it is exempt
}

// Catalog reads the published tables and, for each of the roles that exists,
// what it may see of them. Tables of the system's schemas and of realtime, whose
// rows hold claims of others, are left out. It is one round trip for any number
// of tables.
func (d *Database) Catalog(ctx context.Context, publication string, roles []string) (*Catalog, error) {
	ctx, cancel := within(ctx, catalogTimeout)
	defer cancel()
	r := catalogReader{catalog: &Catalog{Roles: map[string]*Role{}}, tables: map[uint32]*Relation{}, policies: map[uint32]int{}}
	answers := d.rows.SendBatch(ctx, catalogBatch(publication, roles))
	err := r.read(answers)
	if e := answers.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", failed(err))
	}
	return r.catalog, nil
}

// catalogBatch returns what is asked, in the order in which read reads. One
// snapshot serves all, so that the parts fit together.
func catalogBatch(publication string, roles []string) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	b.Queue("SELECT set_config('statement_timeout', $1, true)", milliseconds(catalogTimeout))
	b.Queue(catalogPublication, publication)
	b.Queue(catalogTables, publication)
	b.Queue(catalogCollations)
	b.Queue(catalogLabels, publication)
	// With the session's search_path, in which errors name types.
	b.Queue(catalogColumns, publication)
	// Without, so that pg_get_expr qualifies every name.
	b.Queue("SELECT set_config('search_path', '', true)")
	b.Queue(catalogFunctions, publication)
	b.Queue(catalogPolicies, publication)
	b.Queue(catalogRoles, roles)
	b.Queue(catalogPrivileges, publication, roles)
	b.Queue("COMMIT")
	return b
}

// milliseconds returns a duration as settings of PostgreSQL take it.
func milliseconds(d time.Duration) string { return fmt.Sprint(max(1, d.Milliseconds())) }

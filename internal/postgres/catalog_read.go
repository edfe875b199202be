package postgres

import (
	"github.com/jackc/pgx/v5"
)

const catalogPublication = `SELECT NOT EXISTS (SELECT FROM pg_publication WHERE pubname = $1)`

// published is the published tables, as pgoutput has them. PostgreSQL 14 knows
// no column lists, and its view no attnames.
const published = `
WITH published AS MATERIALIZED (
  SELECT c.oid, n.nspname, to_jsonb(p) -> 'attnames' AS attnames
  FROM pg_publication_tables p
  JOIN pg_namespace n ON n.nspname = p.schemaname
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
  WHERE p.pubname = $1 AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'realtime')
)`

const catalogTables = published + `
SELECT c.oid, p.nspname::text, c.relname::text, c.relrowsecurity, c.relforcerowsecurity, c.relkind = 'p'
FROM published p JOIN pg_class c ON c.oid = p.oid
ORDER BY p.nspname COLLATE "C", c.relname COLLATE "C"`

// Versions differ in the columns of these tables. The database stands for the
// collation "default", number 100.
const catalogCollations = `
SELECT k.oid, to_jsonb(k) ->> 'collprovider', (to_jsonb(k) ->> 'collisdeterministic')::boolean,
  coalesce(k.collcollate::text, ''), coalesce(k.collctype::text, ''),
  coalesce(to_jsonb(k) ->> 'colllocale', to_jsonb(k) ->> 'colliculocale', '')
FROM pg_collation k
WHERE k.oid IN (SELECT typcollation FROM pg_type) AND k.oid <> 100
UNION ALL
SELECT 100::oid, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'), true, d.datcollate::text, d.datctype::text,
  coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '')
FROM pg_database d WHERE d.datname = current_database()`

const catalogLabels = published + `
SELECT e.enumtypid, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_enum e
WHERE e.enumtypid IN (SELECT a.atttypid FROM pg_attribute a JOIN published p ON p.oid = a.attrelid)
GROUP BY e.enumtypid`

// pgoutput sends no generated columns before PostgreSQL 18, where attnames has
// those that it sends.
const catalogColumns = published + `
SELECT a.attrelid, a.attname::text, a.attnum, t.oid, t.typname::text, format_type(t.oid, NULL),
  CASE n.nspname WHEN 'pg_catalog' THEN format_type(t.oid, NULL) ELSE quote_ident(n.nspname) || '.' || quote_ident(t.typname) END,
  t.typcategory::text, t.typtype = 'd', t.typcollation,
  coalesce(a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]), false),
  coalesce(p.attnames ? a.attname, true)
    AND (a.attgenerated = '' OR current_setting('server_version_num')::int >= 180000),
  CASE t.typtype WHEN 'd' THEN (
    WITH RECURSIVE base (oid) AS (
      SELECT t.oid UNION ALL SELECT b.typbasetype FROM base JOIN pg_type b ON b.oid = base.oid WHERE b.typtype = 'd'
    )
    SELECT quote_ident(n.nspname) || '.' || quote_ident(b.typname)
    FROM base JOIN pg_type b ON b.oid = base.oid JOIN pg_namespace n ON n.oid = b.typnamespace
    WHERE b.typtype <> 'd'
  ) ELSE quote_ident(n.nspname) || '.' || quote_ident(t.typname) END
FROM published p
JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_index i ON i.indrelid = p.oid AND i.indisprimary
ORDER BY a.attrelid, a.attnum`

// policyFunctions is what policies call that is not built in, of which alone
// PostgreSQL keeps dependencies.
const policyFunctions = `
  SELECT CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END AS function, d.objid AS policy
  FROM pg_depend d
  LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
  WHERE d.classid = 'pg_policy'::regclass AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)`

const catalogFunctions = published + `
SELECT f.oid, n.nspname::text, f.proname::text, pg_get_function_identity_arguments(f.oid), pg_get_function_result(f.oid), l.lanname::text,
  f.provolatile::text, coalesce(pg_get_function_sqlbody(f.oid), f.prosrc), f.prosecdef, f.proconfig
FROM pg_proc f
JOIN pg_namespace n ON n.oid = f.pronamespace
JOIN pg_language l ON l.oid = f.prolang
WHERE f.oid IN (
  SELECT called.function FROM (` + policyFunctions + `) called
  JOIN pg_policy pol ON pol.oid = called.policy JOIN published p ON p.oid = pol.polrelid
)`

// Dependencies know no whole rows, and not that a subquery reads a table of which
// a column is depended on, so the stored expression is searched for these: a
// column's number 0 is the whole row, one below is a system column. Texts of
// users stand in it as numbers or escaped, and cannot be taken for a key.
const catalogPolicies = published + `
SELECT pol.oid, pol.polrelid, pol.polname::text, pol.polpermissive,
  CASE WHEN 0 <> ALL (pol.polroles)
    THEN ARRAY(SELECT rolname::text FROM pg_roles WHERE oid = ANY (pol.polroles) ORDER BY rolname) END,
  coalesce(pg_get_expr(pol.polqual, pol.polrelid), ''),
  ARRAY(
    SELECT a.attname::text FROM pg_depend d
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_policy'::regclass AND d.objid = pol.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = pol.polrelid AND a.attnum > 0
    ORDER BY a.attnum
  ),
  coalesce(pol.polqual::text ~ ':varattno (0|-)', false),
  ARRAY(SELECT DISTINCT called.function FROM (` + policyFunctions + `) called WHERE called.policy = pol.oid ORDER BY 1),
  EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = pol.oid AND d.refclassid = 'pg_operator'::regclass),
  ARRAY(SELECT DISTINCT m[1]::oid FROM regexp_matches(pol.polqual::text, ':relid (\d+)', 'g') m WHERE m[1] <> '0' ORDER BY 1)
FROM pg_policy pol JOIN published p ON p.oid = pol.polrelid
WHERE pol.polcmd IN ('r', '*')
ORDER BY pol.polrelid, pol.polname COLLATE "C"`

const catalogRoles = `SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1::text[])`

// The rules are those by which PostgreSQL itself applies row-level security.
const catalogPrivileges = published + `
SELECT r.rolname::text, c.oid,
  ARRAY(
    SELECT coalesce(has_column_privilege(r.oid, a.attrelid, a.attnum, 'SELECT'), false)
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
  ),
  coalesce(has_schema_privilege(r.oid, c.relnamespace, 'USAGE'), false),
  NOT c.relrowsecurity OR r.rolsuper OR r.rolbypassrls
    OR NOT c.relforcerowsecurity AND pg_has_role(r.oid, c.relowner, 'USAGE'),
  ARRAY(
    SELECT pol.oid FROM pg_policy pol
    WHERE pol.polrelid = c.oid AND pol.polcmd IN ('r', '*')
      AND EXISTS (SELECT FROM unnest(pol.polroles) m WHERE m = 0 OR pg_has_role(r.oid, m, 'USAGE'))
    ORDER BY pol.polname COLLATE "C"
  )
FROM pg_roles r, published p JOIN pg_class c ON c.oid = p.oid
WHERE r.rolname = ANY ($2::text[])`

// A catalogReader puts a Catalog together.
type catalogReader struct {
	catalog    *Catalog
	tables     map[uint32]*Relation
	collations map[uint32]Collation
	labels     map[uint32][]string
	functions  map[uint32]Function
	policies   map[uint32]int // their place among those of their table
}

// read reads all answers, in the order of catalogBatch.
func (r *catalogReader) read(answers pgx.BatchResults) error {
	skip := func() error {
		_, err := answers.Exec()
		return err
	}
	publication := func() error { return answers.QueryRow().Scan(&r.catalog.Missing) }
	with := func(read func(pgx.Rows) error) func() error {
		return func() error {
			// Errors of Query are in rows as well.
			rows, _ := answers.Query()
			defer rows.Close()
			return read(rows)
		}
	}
	for _, step := range []func() error{
		skip, skip, publication, with(r.readTables), with(r.readCollations), with(r.readLabels), with(r.readColumns),
		skip, with(r.readFunctions), with(r.readPolicies), with(r.readRoles), with(r.readPrivileges), skip,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *catalogReader) readTables(rows pgx.Rows) error {
	var t Relation
	into := []any{&t.OID, &t.Schema, &t.Name, &t.RLS, &t.Force, &t.partitioned}
	_, err := pgx.ForEachRow(rows, into, func() error {
		table := t
		r.tables[t.OID] = &table
		r.catalog.Relations = append(r.catalog.Relations, &table)
		return nil
	})
	return err
}

func (r *catalogReader) readCollations(rows pgx.Rows) error {
	r.collations = map[uint32]Collation{}
	var (
		oid uint32
		l   locale
	)
	_, err := pgx.ForEachRow(rows, []any{&oid, &l.provider, &l.deterministic, &l.collate, &l.ctype, &l.name}, func() error {
		r.collations[oid] = l.collation()
		return nil
	})
	return err
}

func (r *catalogReader) readLabels(rows pgx.Rows) error {
	r.labels = map[uint32][]string{}
	var oid uint32
	var labels []string
	_, err := pgx.ForEachRow(rows, []any{&oid, &labels}, func() error {
		r.labels[oid], labels = labels, nil
		return nil
	})
	return err
}

func (r *catalogReader) readColumns(rows pgx.Rows) error {
	var (
		c                Column
		table, collation uint32
		category         string
	)
	into := []any{
		&table, &c.Name, &c.Number, &c.Type, &c.TypeName, &c.SQLName, &c.Qualified, &category, &c.Domain, &collation,
		&c.Primary, &c.Published, &c.cast,
	}
	_, err := pgx.ForEachRow(rows, into, func() error {
		c.Category, c.Collation, c.Labels = category[0], r.collations[collation], r.labels[c.Type]
		if t := r.tables[table]; t != nil {
			t.Columns = append(t.Columns, c)
		}
		return nil
	})
	return err
}

func (r *catalogReader) readFunctions(rows pgx.Rows) error {
	r.functions = map[uint32]Function{}
	var (
		oid        uint32
		f          Function
		volatility string
	)
	into := []any{&oid, &f.Schema, &f.Name, &f.Arguments, &f.Result, &f.Language, &volatility, &f.Body, &f.SecurityDefiner, &f.Config}
	_, err := pgx.ForEachRow(rows, into, func() error {
		f.Volatility = volatility[0]
		r.functions[oid] = f
		f.Config = nil
		return nil
	})
	return err
}

func (r *catalogReader) readPolicies(rows pgx.Rows) error {
	var (
		oid, table uint32
		p          Policy
		functions  []uint32
	)
	into := []any{&oid, &table, &p.Name, &p.Permissive, &p.Roles, &p.Using, &p.Columns, &p.All, &functions, &p.Operators, &p.Relations}
	_, err := pgx.ForEachRow(rows, into, func() error {
		for _, f := range functions {
			p.Functions = append(p.Functions, r.functions[f])
		}
		if t := r.tables[table]; t != nil {
			r.policies[oid] = len(t.Policies)
			t.Policies = append(t.Policies, p)
		}
		p, functions = Policy{}, nil
		return nil
	})
	return err
}

func (r *catalogReader) readRoles(rows pgx.Rows) error {
	var name string
	_, err := pgx.ForEachRow(rows, []any{&name}, func() error {
		r.catalog.Roles[name] = &Role{Name: name, Privileges: map[uint32]Privilege{}}
		return nil
	})
	return err
}

func (r *catalogReader) readPrivileges(rows pgx.Rows) error {
	var (
		role     string
		table    uint32
		p        Privilege
		policies []uint32
	)
	_, err := pgx.ForEachRow(rows, []any{&role, &table, &p.Selectable, &p.Usage, &p.Exempt, &policies}, func() error {
		for _, oid := range policies {
			p.Policies = append(p.Policies, r.policies[oid])
		}
		r.catalog.Roles[role].Privileges[table] = p
		p, policies = Privilege{}, nil
		return nil
	})
	return err
}

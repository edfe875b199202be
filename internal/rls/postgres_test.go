package rls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// scene is what the policies of the tests speak of. Schema old has what
// Supabase's functions were in earlier years, schema app what its users write.
const scene = `
CREATE TYPE public.status AS ENUM ('draft', 'public', 'Odd one');
CREATE DOMAIN public.flag AS boolean;
CREATE DOMAIN public.label AS text;
CREATE COLLATION public.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE public.t (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	owner uuid, "Second" uuid, org integer, small smallint, big bigint, done boolean, status public.status,
	title text, code varchar(20), name name, day date, "user" text, loose text COLLATE public.loose,
	posix text COLLATE "POSIX", amount numeric, blank char(6), at timestamptz, flagged public.flag, label public.label, tags text[], doc jsonb
);
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
GRANT ALL ON public.t TO anon, authenticated;
CREATE TABLE public.members (who uuid, org integer);
GRANT ALL ON public.members TO anon, authenticated;
INSERT INTO public.members VALUES ('11111111-1111-1111-1111-111111111111', 1);

CREATE SCHEMA old;
CREATE FUNCTION old.uid1() RETURNS uuid LANGUAGE sql STABLE AS
	$$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid; $$;
CREATE FUNCTION old.uid2() RETURNS uuid LANGUAGE sql STABLE AS $$
	select
	  coalesce(
	    current_setting('request.jwt.claim.sub', true),
	    (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')
	  )::uuid $$;
CREATE FUNCTION old.uid3() RETURNS uuid LANGUAGE sql STABLE AS $$
	select coalesce(
		nullif(current_setting('request.jwt.claim.sub', true), ''),
		(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub') -- the token's
	)::uuid $$;
CREATE FUNCTION old.role() RETURNS text LANGUAGE sql STABLE AS
	$$ select nullif(current_setting('request.jwt.claim.role', true), '')::text; $$;

CREATE SCHEMA app;
CREATE FUNCTION app.org() RETURNS integer LANGUAGE sql STABLE SET search_path = '' AS
	$$ SELECT (auth.jwt() -> 'app_metadata' ->> 'org')::int $$;
CREATE FUNCTION app.org_text() RETURNS text LANGUAGE sql STABLE AS $$ SELECT app.org()::text AS org $$;
CREATE FUNCTION app.is_admin() RETURNS boolean LANGUAGE sql STABLE AS
	$$ SELECT coalesce(auth.jwt() ->> 'role' = 'admin' or auth.jwt() #>> '{app_metadata,role}' = 'admin', false) $$;
CREATE FUNCTION app.definer() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT auth.uid() $$;
CREATE FUNCTION app.volatile() RETURNS uuid LANGUAGE sql AS $$ SELECT auth.uid() $$;
CREATE FUNCTION app.plpgsql() RETURNS uuid LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN auth.uid(); END $$;
CREATE FUNCTION app.table() RETURNS boolean LANGUAGE sql STABLE AS
	$$ SELECT exists (SELECT 1 FROM public.members WHERE who = auth.uid()) $$;
CREATE FUNCTION app.later() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT now() > '2000-01-01' $$;
CREATE FUNCTION app.atomic() RETURNS uuid STABLE BEGIN ATOMIC SELECT auth.uid(); END;
CREATE FUNCTION app.is(of uuid) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT of = auth.uid() $$;
CREATE FUNCTION app.equal(a text, b uuid) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT a = b::text $$;
CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = uuid, FUNCTION = app.equal);
GRANT USAGE ON SCHEMA old, app TO anon, authenticated;`

// A place is a connection to a database with the scene in it.
type place struct {
	*pgx.Conn
}

func newPlace(t testing.TB) place {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), postmastertest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	p := place{conn}
	for _, sql := range []string{scene, `SET search_path = ''`} {
		if err := p.exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p place) exec(sql string) error {
	_, err := p.Exec(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
	return err
}

// texts returns the rows of a query as PostgreSQL writes them.
func (p place) texts(sql string, args ...string) ([][]tutti.Value, error) {
	var values [][]byte
	for _, a := range args {
		values = append(values, []byte(a))
	}
	result := p.PgConn().ExecParams(context.Background(), sql, values, nil, nil, nil).Read()
	rows := make([][]tutti.Value, len(result.Rows))
	for i, row := range result.Rows {
		for _, text := range row {
			v := tutti.Value{Kind: tutti.Text, Text: text}
			if text == nil {
				v.Kind = tutti.Null
			}
			rows[i] = append(rows[i], v)
		}
	}
	return rows, result.Err
}

const policiesSQL = `
SELECT p.oid, p.polpermissive, coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), ''), EXISTS (
	SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
	AND d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass)
FROM pg_catalog.pg_policy p
WHERE p.polrelid = 'public.t'::pg_catalog.regclass AND p.polcmd IN ('r', '*')
AND (p.polroles @> '{0}' OR p.polroles @> ARRAY[$1::pg_catalog.text::pg_catalog.regrole::pg_catalog.oid])`

const functionsSQL = `
SELECT n.nspname, f.proname, pg_catalog.pg_get_function_arguments(f.oid), pg_catalog.pg_get_function_result(f.oid),
	l.lanname, f.provolatile, f.prosrc, f.prosecdef, coalesce(pg_catalog.array_to_string(f.proconfig, ';'), '')
FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace JOIN pg_catalog.pg_language l ON l.oid = f.prolang
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND CASE $1 WHEN '' THEN f.pronargs = 0 ELSE f.oid IN (
	SELECT d.refobjid FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
	AND d.objid::pg_catalog.text = $1 AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) END`

const columnsSQL = `
SELECT a.attname, a.atttypid, pg_catalog.format_type(a.atttypid, NULL), coalesce(c.collisdeterministic, true), y.typtype
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = 'public.t'::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

// policies returns the policies on table t for a role.
func (p place) policies(role string) ([]Policy, error) {
	helpers, err := p.functions("")
	if err != nil {
		return nil, err
	}
	rows, err := p.texts(policiesSQL, role)
	policies := make([]Policy, len(rows))
	for i, r := range rows {
		policies[i] = Policy{
			Permissive: string(r[1].Text) == "t", Using: string(r[2].Text), Operators: string(r[3].Text) == "t", Helpers: helpers,
		}
		if policies[i].Functions, err = p.functions(string(r[0].Text)); err != nil {
			return nil, err
		}
	}
	return policies, err
}

// functions returns the functions on which a policy depends, or all without
// arguments.
func (p place) functions(policy string) ([]Function, error) {
	rows, err := p.texts(functionsSQL, policy)
	functions := make([]Function, len(rows))
	for i, r := range rows {
		functions[i] = Function{
			Schema: string(r[0].Text), Name: string(r[1].Text), Arguments: string(r[2].Text), Result: string(r[3].Text),
			Language: string(r[4].Text), Volatility: r[5].Text[0], Body: string(r[6].Text), SecurityDefiner: string(r[7].Text) == "t",
		}
		if config := string(r[8].Text); config != "" {
			functions[i].Config = strings.Split(config, ";")
		}
	}
	return functions, err
}

// columns returns the columns of table t.
func (p place) columns() ([]Column, error) {
	rows, err := p.texts(columnsSQL)
	columns := make([]Column, len(rows))
	for i, r := range rows {
		columns[i] = Column{
			Name: string(r[0].Text), TypeName: string(r[2].Text), Deterministic: string(r[3].Text) == "t",
			Domain: string(r[4].Text) == "d", Enum: string(r[4].Text) == "e",
		}
		if _, err := fmt.Sscan(string(r[1].Text), &columns[i].Type); err != nil {
			return nil, err
		}
	}
	return columns, err
}

// plan reads the policies on table t for a role.
func (p place) plan(role string) (*Plan, bool, error) {
	policies, err := p.policies(role)
	if err != nil {
		return nil, false, err
	}
	columns, err := p.columns()
	if err != nil {
		return nil, false, err
	}
	plan, ok := Read(policies, columns)
	return plan, ok, nil
}

// An identity is who asks. Without claims the setting is not made.
type identity struct {
	role   string
	claims string
}

// as runs f as the identity and undoes it. raised is the error that PostgreSQL
// raised for it, if f returns one.
func (p place) as(i identity, f func() error) (raised bool, err error) {
	defer func() {
		if e := p.exec("ROLLBACK"); err == nil {
			err = e
		}
	}()
	if err := p.exec("BEGIN"); err != nil {
		return false, err
	}
	if _, err := p.texts("SELECT pg_catalog.set_config('request.jwt.claims', $1, true)", i.claims); err != nil {
		return false, err
	}
	if err := p.exec("SET LOCAL ROLE " + i.role); err != nil {
		return false, err
	}
	err = f()
	var raise *pgconn.PgError
	if errors.As(err, &raise) && !slices.Contains(ourFaults, raise.Code) {
		return true, nil
	}
	return false, err
}

// ourFaults is what PostgreSQL says when it is asked for something that it did
// not write itself: a syntax error, no such column, function, table or type.
var ourFaults = []string{"42601", "42703", "42883", "42P01", "42704", "42P18"}

// values asks for the expressions of a plan.
func (p place) values(plan *Plan, i identity) (values []*string, raised bool, err error) {
	raised, err = p.as(i, func() error {
		rows, err := p.texts("SELECT " + strings.Join(plan.Expressions(), ", "))
		if err != nil {
			return err
		}
		values = make([]*string, len(plan.Expressions()))
		for n, v := range rows[0] {
			if v.Kind == tutti.Text {
				text := string(v.Text)
				values[n] = &text
			}
		}
		return nil
	})
	return values, raised, err
}

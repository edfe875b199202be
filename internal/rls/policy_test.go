package rls

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// understood is conditions, as people write them, that are to be judged here.
var understood = []string{
	"true", "false", "auth.uid() = owner", "owner = auth.uid()", "(select auth.uid()) = owner", "auth.role() = 'authenticated'",
	"title = 'public' or auth.uid() = owner", "((auth.jwt() ->> 'org_id')::uuid = owner)", "status = 'public'",
	"status = 'public' or (select auth.uid()) = owner", "code = 'x'", "code in ('a', 'b')", "title in ('a', 'public')",
	"status in ('draft', 'Odd one')", "status = any (array['draft', 'public']::public.status[])", "org = 1", "big = 5000000000", "small = -5", "big in (1, 2)",
	"small in (1, 2)", "name = 'x'", "name = auth.email()", "day = '2024-01-01'", "day <> 'infinity'", "done", "not done",
	"done is true", "done is not unknown", "done is not true and done is not false", "done = true", "done <> false",
	"owner is not distinct from auth.uid()", "owner is distinct from auth.uid()", "code is distinct from 'a'",
	`"Second" = auth.uid()`, `"user" = auth.email()`, "auth.uid() in (owner, \"Second\")", "owner::text = auth.uid()::text",
	"owner::text = (auth.jwt() ->> 'sub')", "id::text = auth.jwt() ->> 'n'", "status::text = 'draft'", "title is null",
	"title is null or title = ''", "at is null", "amount is not null", "blank is null", "doc is null and tags is null", "status is null",
	"title = any ('{a,public}')", "title <> all (array['a', 'b'])", "title not in ('a', 'b')", "auth.role() in ('anon', 'authenticated')",
	"(auth.uid() = owner) is true", "(auth.uid() = owner) is null", "(auth.uid() = owner) is not false",
	"(auth.jwt() ->> 'admin')::boolean", "done = (auth.jwt() ->> 'admin')::bool", "org = (auth.jwt() ->> 'n')::int",
	"big = (auth.jwt() ->> 'n')::int", "small = (auth.jwt() ->> 'n')::bigint", "org > 1 and org <= 10",
	"org between 1 and 5", "(auth.jwt() ->> 'n')::bigint >= org", "-1 < small", "auth.jwt() ? 'sub'", "auth.jwt() #>> '{app_metadata,org}' = '1'",
	"(auth.jwt() -> 'app_metadata' ->> 'org')::int = org", "auth.jwt() -> 'roles' ? 'editor'", "auth.jwt() -> 'roles' @> '[\"editor\"]'",
	"auth.jwt() -> 'roles' ?| array['editor', 'admin']", "nullif(auth.email(), '') is null", "coalesce(auth.jwt() ->> 'role', 'none') = title",
	"lower(auth.email()) = title", "'user:' || auth.uid()::text = title", "current_user = 'authenticated'", "title = null", "title = 'it''s'",
	"current_setting('request.jwt.claims', true)::json ->> 'sub' = owner::text", "owner = '11111111-1111-1111-1111-111111111111'",
	"owner = (current_setting('request.jwt.claims')::jsonb ->> 'sub')::uuid", "org::bigint = 1", "small::int = 1", "org::text = '1'", "posix = auth.email()",
	"owner = old.uid1()", "owner = old.uid2()", "(select old.uid3()) = owner", "old.role() is null", "org = app.org()",
	"title = app.org_text()", "app.is_admin()", "app.is_admin() or owner = auth.uid() and not done", "owner = any (array[auth.uid(), app.org_text()::uuid])",
	"auth.uid() is not null", "auth.uid() = any (array[owner])", "auth.jwt() is not null", "not (done and title = 'a')", "public.t.title = 'a'",
}

// refused is conditions that are not.
var refused = []string{
	"now() > at", "current_timestamp > at", "random() < 0.5", "exists (select 1 from public.members where who = auth.uid())",
	"owner in (select who from public.members)", "org = (select org from public.members limit 1)", "auth.uid() = (select owner)",
	"(select auth.uid() where true) = owner", "amount = 1", "blank = 'a'", "loose = 'a'", "loose = auth.email()", "lower(title) = 'a'", "title like 'a%'",
	"title ilike 'a%'", "title > 'a'", "title collate \"C\" = 'a'", "at < '2024-01-01'", "day > '2024-01-01'", "flagged", "flagged = true",
	"label = 'a'", "t is null", "t = t", "t.* is not null", "title = name::text", "owner = \"Second\"", "title = owner", "title is distinct from owner",
	"\"user\" = current_user", "\"user\" = session_user", "\"user\" = user", "name = current_user", "current_setting('app.tenant', true) = title", "current_setting('request.headers', true) is null",
	"current_setting('request.jwt.' || 'claims', true) is null", "current_setting(title, true) is null",
	"tags @> array['a']", "auth.email() = any (tags)", "doc ->> 'a' = 'b'", "doc is not null and doc = '{}'", "title = E'a\\\\b'", "title = 'a\\b'", "day::text = '2024-01-01'",
	"done::text = 'true'", "big::int = 1", "title::uuid = auth.uid()", "title = auth.email()::varchar(5)", "tableoid = 1", "ctid is null", "xmin is null",
	"app.definer() = owner", "app.volatile() = owner", "app.plpgsql() = owner", "app.table()", "app.later()",
	"app.atomic() = owner", "app.is(owner)", "pg_backend_pid() = org", "org + 1 = 2", "-org = 1", "org in (select 1)", "row(org, small) = row(1, 2) or row(org) is null",
	"case when done then true else false end", "status > 'draft'", "status = (auth.jwt() ->> 'status')::public.status", "day = (auth.jwt() ->> 'day')::date",
	"coalesce(done, false)", "title = auth.jwt()::text collate \"C\"", "doc = auth.jwt()", "pg_has_role('anon', 'usage')", "greatest(org, 1) = 1",
	"auth.jwt() ->> title = 'a'", "label is null", "flagged is null", "(auth.uid() = owner) = done", "extract(year from at) = 2024",
}

// make puts policies on table t in place of those it has.
func (p place) make(policies ...string) error {
	old, err := p.texts("SELECT pg_catalog.quote_ident(polname) FROM pg_catalog.pg_policy WHERE polrelid = 'public.t'::pg_catalog.regclass")
	if err != nil {
		return err
	}
	sql := "SET search_path = public;"
	for _, r := range old {
		sql += fmt.Sprintf("DROP POLICY %s ON public.t;", r[0].Text)
	}
	for i, policy := range policies {
		sql += fmt.Sprintf("CREATE POLICY p%d ON public.t %s;", i, policy)
	}
	return p.exec(sql + "SET search_path = ''")
}

// reads reports whether a policy with this condition is one for us.
func (p place) reads(t *testing.T, condition string) bool {
	t.Helper()
	if err := p.make("USING (" + condition + ")"); err != nil {
		t.Fatalf("%s: %v", condition, err)
	}
	_, ok, err := p.plan("authenticated")
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestConditionsThatPeopleWriteAreUnderstood(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, condition := range understood {
		if !p.reads(t, condition) {
			t.Errorf("is not understood: %s", condition)
		}
	}
}

func TestWhatDependsOnMoreThanClaimsAndRowIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, condition := range refused {
		if p.reads(t, condition) {
			t.Errorf("is understood: %s", condition)
		}
	}
}

// identities is who asks in the property test.
var identities = []identity{
	{role: "anon", claims: `{}`},
	{role: "authenticated", claims: ``},
	{role: "authenticated", claims: `{"role": "authenticated", "exp": 1}`},
	{role: "authenticated", claims: `{"sub": null, "n": null, "email": null}`},
	{role: "authenticated", claims: `{"sub": "not a uuid", "n": "x", "admin": "perhaps", "org_id": 7}`},
	{role: "authenticated", claims: `{"sub": "11111111-1111-1111-1111-111111111111", "role": "authenticated", "email": "a", "n": 1, "exp": 1}`},
	{role: "authenticated", claims: `{"sub": "11111111-1111-1111-1111-111111111111", "role": "authenticated", "email": "a", "n": 1, "exp": 2}`},
	{role: "authenticated", claims: `{"sub": "2222222222222222222222222222222A", "role": "admin", "n": "2", "admin": true, "roles": ["editor"],
		"org_id": "11111111-1111-1111-1111-111111111111", "app_metadata": {"org": 1, "role": "admin"}}`},
	{role: "anon", claims: `{"sub": "11111111-1111-1111-1111-111111111111", "email": "", "n": 99999999999, "admin": "f", "roles": {"admin": 1}}`},
	{role: "authenticated", claims: `{"sub": "11111111-1111-1111-1111-111111111111", "x": "\u0000"}`},
	{role: "authenticated", claims: `no JSON`},
}

// anyCondition draws conditions out of those above, joined.
func anyCondition(r *rapid.T, depth int) string {
	switch rapid.IntRange(0, 9).Draw(r, "shape") {
	case 0, 1:
		if depth > 0 {
			join := rapid.SampledFrom([]string{" and ", " or "}).Draw(r, "join")
			return "(" + anyCondition(r, depth-1) + join + anyCondition(r, depth-1) + ")"
		}
	case 2:
		if depth > 0 {
			test := rapid.SampledFrom([]string{"not (%s)", "(%s) is true", "(%s) is not true", "(%s) is null", "(%s) is not false"}).Draw(r, "test")
			return fmt.Sprintf(test, anyCondition(r, depth-1))
		}
	case 3:
		if rapid.IntRange(0, 3).Draw(r, "odd") == 0 {
			return rapid.SampledFrom(refused).Draw(r, "refused")
		}
	case 4, 5:
		return anyComparison(r)
	}
	return rapid.SampledFrom(understood).Draw(r, "understood")
}

// families is columns and values that PostgreSQL mostly compares with each other.
var families = []struct{ columns, values []string }{
	{
		columns: []string{"owner", `"Second"`},
		values:  []string{"auth.uid()", "(select auth.uid())", "'11111111-1111-1111-1111-111111111111'", "(auth.jwt() ->> 'sub')::uuid", "old.uid2()"},
	},
	{
		columns: []string{"id", "org", "small", "big", "amount", "org::bigint", "small::int", "big::int"},
		values: []string{"app.org()", "app.org()::bigint", "1", "-1", "5000000000", "'1'", "(auth.jwt() ->> 'n')::smallint", "(auth.jwt() ->> 'n')::bigint",
			"1::smallint", "1.0", "(1)::bigint", "'-5'::int", "'1'::text::int"},
	},
	{
		columns: []string{"title", "code", "name", "loose", "posix", "blank", "label", `"user"`, "owner::text", "code::text", "name::text", "org::text", "status::text",
			"blank::text", "title::varchar", "done::text", "title::name", "title::varchar(1)"},
		values: []string{"auth.email()", "auth.email()::varchar", "auth.role()::name", "auth.uid()::text", "app.org_text()", "current_user", "auth.jwt() ->> 'sub'",
			"'a'", "'true'", "'public'", "'a '", "'A'", "''", "'x'::name", "'a'::varchar", "'a'::varchar::text", "'1'", "upper(auth.email())", "'a'::char(3)"},
	},
	{columns: []string{"done", "flagged"}, values: []string{"true", "app.is_admin()", "(auth.jwt() ->> 'admin')::bool", "'f'"}},
	{columns: []string{"status"}, values: []string{"'draft'", "'Odd one'::public.status", "(auth.jwt() ->> 'status')::public.status"}},
	{columns: []string{"day"}, values: []string{"'2024-01-01'", "'infinity'", "'0044-03-15 BC'", "'2024-01-01'::timestamp", "(auth.jwt() ->> 'day')::date"}},
}

// anyComparison draws a comparison of a column with a value, which PostgreSQL
// may not know.
func anyComparison(r *rapid.T) string {
	family := rapid.SampledFrom(families).Draw(r, "family")
	column := rapid.SampledFrom(family.columns).Draw(r, "column")
	value := rapid.SampledFrom(append(family.values, "null")).Draw(r, "value")
	operator := rapid.SampledFrom([]string{"=", "=", "<>", "<", ">=", "is distinct from", "is not distinct from", "in", "all"}).Draw(r, "operator")
	switch operator {
	case "in":
		return fmt.Sprintf("%s in (%s, %s)", column, value, rapid.SampledFrom(family.values).Draw(r, "other"))
	case "all":
		return fmt.Sprintf("%s <> all (array[%s, %s])", column, value, rapid.SampledFrom(family.values).Draw(r, "other"))
	}
	if rapid.Bool().Draw(r, "turned") {
		column, value = value, column
	}
	return column + " " + operator + " " + value
}

// anyPolicy draws what follows CREATE POLICY … ON ….
func anyPolicy(r *rapid.T) string {
	kind := rapid.SampledFrom([]string{"", "", "AS PERMISSIVE FOR SELECT", "AS RESTRICTIVE", "AS RESTRICTIVE FOR SELECT TO authenticated", "FOR UPDATE", "TO anon"}).Draw(r, "kind")
	if rapid.IntRange(0, 15).Draw(r, "using") == 0 {
		return kind
	}
	return kind + " USING (" + anyCondition(r, 2) + ")"
}

// anyRow draws values of a row, as SQL.
func anyRow(r *rapid.T) string {
	var row []string
	for _, values := range [][]string{
		{"'11111111-1111-1111-1111-111111111111'", "'22222222-2222-2222-2222-22222222222A'"}, {"'11111111-1111-1111-1111-111111111111'"},
		{"1", "2", "-7", "10"}, {"1", "-5", "3"}, {"1", "99999999999", "5000000000"}, {"true", "false"}, {"'draft'", "'public'", "'Odd one'"},
		{"'a'", "''", "'public'", "'a '", "'A'", "'it''s'", "'1'"}, {"'a'", "'x'", "'1'"}, {"'a'", "'x'", "'anon'"}, {"'2024-01-01'", "'infinity'", "'0044-03-15 BC'"},
		{"'a'", "'authenticated'"}, {"'a'", "'A'"}, {"'a'", "'A'"}, {"1", "1.0"}, {"'a'", "''"}, {"now()"}, {"true", "false"}, {"'a'"}, {"'{a}'"}, {"'{\"a\": \"b\"}'"},
	} {
		row = append(row, rapid.SampledFrom(append(values, "NULL")).Draw(r, "value"))
	}
	return "(" + strings.Join(row, ", ") + ")"
}

// rowOf returns a row as the plan takes it, of the row's values of all columns.
func rowOf(plan *Plan, columns []Column, values []tutti.Value) Row {
	var row []tutti.Value
	for _, name := range plan.Columns() {
		row = append(row, values[slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })])
	}
	return plan.Row(row)
}

package postgres

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// rowsPrivileges writes what roles may see of the tables, a line for each.
func rowsPrivileges(c *Catalog, roles ...string) (lines []string) {
	for _, role := range roles {
		for _, r := range c.Relations {
			p := c.Roles[role].Privileges[r.OID]
			line := role + " " + r.Name
			for i, c := range r.Columns {
				if p.Selectable[i] {
					line += " " + c.Name
				}
			}
			if p.Exempt {
				line += ", exempt"
			}
			if !p.Usage {
				line += ", no usage"
			}
			for _, i := range p.Policies {
				line += ", policy " + r.Policies[i].Name
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func TestPrivileges(t *testing.T) {
	t.Parallel()
	// Roles are the cluster's, so their names are this test's.
	d := rowsDatabase(t, `
		CREATE ROLE pr_group NOLOGIN; CREATE ROLE pr_member NOLOGIN INHERIT IN ROLE pr_group;
		CREATE ROLE pr_stranger NOLOGIN NOINHERIT IN ROLE pr_group; CREATE ROLE "Pr Odd" NOLOGIN BYPASSRLS;
		CREATE SCHEMA pr; GRANT USAGE ON SCHEMA pr TO pr_group, pr_stranger;
		CREATE TABLE pr.free (id int PRIMARY KEY, x int);
		CREATE TABLE pr.owned (id int PRIMARY KEY, x int);
		CREATE TABLE pr.strict (id int PRIMARY KEY, x int);
		ALTER TABLE pr.owned ENABLE ROW LEVEL SECURITY; ALTER TABLE pr.owned OWNER TO pr_group;
		ALTER TABLE pr.strict ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; ALTER TABLE pr.strict OWNER TO pr_group;
		GRANT SELECT (id) ON pr.free TO pr_group; GRANT SELECT (x) ON pr.free TO PUBLIC;
		CREATE POLICY c_all ON pr.strict USING (true);
		CREATE POLICY a_group ON pr.strict FOR SELECT TO pr_group USING (true);
		CREATE POLICY b_member ON pr.strict FOR SELECT TO pr_member USING (true);
		CREATE POLICY d_write ON pr.strict FOR UPDATE USING (true);
		CREATE PUBLICATION p FOR TABLES IN SCHEMA pr`)
	t.Cleanup(func() {
		rowsExecLater(t, d, `DROP SCHEMA pr CASCADE`, `DROP ROLE pr_group, pr_member, pr_stranger, "Pr Odd"`)
	})
	roles := []string{"pr_group", "pr_member", "pr_stranger", "Pr Odd", "supabase_admin"}
	c, err := d.Catalog(t.Context(), "p", append(roles, "pr odd", "none", "public"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Roles) != len(roles) {
		t.Errorf("roles %v", c.Roles)
	}
	want := []string{
		"pr_group free id x, exempt", "pr_group owned id x, exempt", "pr_group strict id x, policy a_group, policy c_all",
		"pr_member free id x, exempt", "pr_member owned id x, exempt", "pr_member strict id x, policy a_group, policy b_member, policy c_all",
		"pr_stranger free x, exempt", "pr_stranger owned", "pr_stranger strict, policy c_all",
		"Pr Odd free x, exempt, no usage", "Pr Odd owned, exempt, no usage", "Pr Odd strict, exempt, no usage, policy c_all",
		"supabase_admin free id x, exempt", "supabase_admin owned id x, exempt",
		"supabase_admin strict id x, exempt, policy a_group, policy b_member, policy c_all",
	}
	got := strings.Join(rowsPrivileges(c, roles...), "\n")
	if want := strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, r := range c.Relations {
		if r.RLS != (r.Name != "free") || r.Force != (r.Name == "strict") {
			t.Errorf("%+v", r)
		}
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, `
		CREATE TABLE members (room int, who uuid);
		CREATE TABLE t (id int PRIMARY KEY, owner uuid, room int, "Odd col" text);
		ALTER TABLE t ENABLE ROW LEVEL SECURITY;
		CREATE FUNCTION public.helper(a int, b text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET work_mem = '1MB'
			AS $$ BEGIN RETURN true; END $$;
		CREATE FUNCTION public.standard(a int) RETURNS boolean IMMUTABLE BEGIN ATOMIC SELECT a > 1; END;
		CREATE FUNCTION public.whole(t) RETURNS boolean LANGUAGE sql AS 'SELECT true';
		CREATE FUNCTION public.same(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
		CREATE OPERATOR === (leftarg = int, rightarg = int, function = public.same);
		CREATE POLICY a ON t FOR SELECT TO anon, authenticated USING (auth.uid() = owner);
		CREATE POLICY b ON t AS RESTRICTIVE FOR ALL USING (EXISTS (SELECT 1 FROM members m WHERE m.room = t.room AND m.who = (SELECT auth.uid())));
		CREATE POLICY c ON t FOR SELECT USING (helper(id, "Odd col") AND standard(id));
		CREATE POLICY d ON t FOR SELECT USING (whole(t));
		CREATE POLICY e ON t FOR SELECT;
		CREATE POLICY f ON t FOR SELECT USING (xmin::text <> '0');
		CREATE POLICY g ON t FOR SELECT USING (room === 1 AND id IN (SELECT id FROM t));
		CREATE POLICY h ON t FOR SELECT USING ("Odd col" = ':varattno 0 :relid 5');
		CREATE POLICY i ON t FOR INSERT WITH CHECK (true);
		CREATE PUBLICATION p FOR TABLE t`)
	table := rowsTable(t, d, "t")
	var members uint32
	conn := rowsStranger(t, d)
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), `SELECT 'members'::regclass::oid`).Scan(&members); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range table.Policies {
		line := fmt.Sprintf("%s %v %v [%s] %q %v", p.Name, p.Permissive, p.Roles, p.Using, p.Columns, p.All)
		for _, oid := range p.Relations {
			line += map[uint32]string{members: " reads members", table.OID: " reads t"}[oid]
		}
		for _, f := range p.Functions {
			line += " calls " + f.Schema + "." + f.Name + "(" + f.Arguments + ")"
		}
		got = append(got, line)
	}
	want := []string{
		`a true [anon authenticated] [(auth.uid() = owner)] ["owner"] false calls auth.uid()`,
		`b false [] [(EXISTS ( SELECT 1
   FROM public.members m
  WHERE ((m.room = t.room) AND (m.who = ( SELECT auth.uid() AS uid)))))] ["room"] false reads members calls auth.uid()`,
		`c true [] [(public.helper(id, "Odd col") AND public.standard(id))] ["id" "Odd col"] false calls public.helper(a integer, b text) calls public.standard(a integer)`,
		`d true [] [public.whole(t.*)] [] true calls public.whole(public.t)`,
		`e true [] [] [] false`,
		`f true [] [((xmin)::text <> '0'::text)] [] true`,
		`g true [] [((room OPERATOR(public.===) 1) AND (id IN ( SELECT t_1.id
   FROM public.t t_1)))] ["id" "room"] false reads t calls public.same(integer, integer)`,
		`h true [] [("Odd col" = ':varattno 0 :relid 5'::text)] ["Odd col"] false`,
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("got  %s\nwant %s", strings.Join(got[min(i, len(got)):], "\n"), strings.Join(want[min(i, len(want)):], "\n"))
		}
	}
	helper := Function{
		Schema: "public", Name: "helper", Arguments: "a integer, b text", Result: "boolean", Language: "plpgsql", Volatility: 's',
		Body: " BEGIN RETURN true; END ", SecurityDefiner: true, Config: []string{`search_path=""`, "work_mem=1MB"},
	}
	if f := table.Policies[2].Functions[0]; !reflect.DeepEqual(f, helper) {
		t.Errorf("%+v", f)
	}
	if f := table.Policies[2].Functions[1]; !strings.Contains(f.Body, "(a > 1)") || f.Volatility != 'i' || f.SecurityDefiner {
		t.Errorf("%+v", f)
	}
}

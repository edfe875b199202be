package feed

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

var (
	leakUsers   = []string{ann, bob, "anon", "service_role"}
	leakColumns = []string{"id", "owner", "room", "a", "b"}
)

// leakPolicies are policies of a table, by what they do.
var leakPolicies = []string{
	"TO authenticated USING (owner = auth.uid())",
	"USING (EXISTS (SELECT FROM members m WHERE m.room = leaky.room AND m.who = auth.uid()))",
	"AS RESTRICTIVE USING (a <> 'secret')",
	"TO anon USING (room = 1)",
	"USING (careful(owner, b))",
	"AS RESTRICTIVE TO authenticated USING (room = 2 OR owner = auth.uid())",
}

// A leak is a table with random policies and rights, and those who watch it.
type leak struct {
	*rapid.T
	n      *node
	db     *pgx.Conn
	ears   map[string]*ear
	full   bool // replica identity
	secure bool // row-level security
	rights map[string][]string
	marks  int
	ids    []int
	next   int
}

// What is delivered is what a SELECT shows at that time, no more and no less.
func TestNobodyHearsWhatHeMayNotSee(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, `CREATE TABLE marks (id int PRIMARY KEY); GRANT SELECT ON marks TO anon, authenticated, service_role;
		CREATE TABLE members (room int, who uuid); GRANT SELECT ON members TO anon, authenticated, service_role;
		CREATE FUNCTION careful(owner uuid, b text) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN owner = auth.uid() AND b = ''p''; END';
		ALTER PUBLICATION supabase_realtime ADD TABLE marks`)
	n := newNode(t, dsn, nil)
	l := &leak{n: n, db: db, ears: map[string]*ear{}}
	for _, who := range leakUsers {
		e := &ear{t: t, rows: make(chan heard, 1000), system: make(chan string, 1000)}
		entries, err := changes.Entries([]byte(everything))
		if err != nil {
			t.Fatal(err)
		}
		e.Subscriber = &changes.Subscriber{Tenant: "acme", Claims: leakClaims(who), Entries: entries, Hearer: e}
		n.Subscribe(n.tenant, e.Subscriber)
		e.expect(admission)
		l.ears[who] = e
	}
	enough := time.Now().Add(5 * time.Second)
	rapid.Check(t, func(rt *rapid.T) {
		if time.Now().After(enough) {
			return
		}
		l.T = rt
		l.set(t)
		for range rapid.IntRange(1, 12).Draw(rt, "operations") {
			l.operate(t)
		}
	})
}

// leakClaims is claimsOf, without a sub where there is none: an empty one is no
// uuid, and fails policies.
func leakClaims(who string) tutti.Claims {
	c := claimsOf(who)
	if c.Subject == "" {
		c.Raw = []byte(`{"role":"` + c.Role + `"}`)
	}
	return c
}

// set makes the table anew.
func (l *leak) set(t *testing.T) {
	l.full, l.secure = rapid.Bool().Draw(l.T, "full"), rapid.IntRange(0, 4).Draw(l.T, "secure") > 0
	l.rights, l.ids, l.next = map[string][]string{"service_role": leakColumns}, nil, 0
	psql(t, l.db, "DROP TABLE IF EXISTS leaky; TRUNCATE members; CREATE TABLE leaky (id int PRIMARY KEY, owner uuid, room int, a text, b text)",
		"REVOKE ALL ON leaky FROM anon, authenticated", "GRANT ALL ON leaky TO service_role")
	for _, role := range []string{"anon", "authenticated"} {
		for _, c := range leakColumns {
			if rapid.IntRange(0, 9).Draw(l.T, role+"."+c) > 1 {
				l.rights[role] = append(l.rights[role], c)
				psql(t, l.db, "GRANT SELECT ("+c+") ON leaky TO "+role)
			}
		}
	}
	for i, p := range leakPolicies {
		if rapid.IntRange(0, 2).Draw(l.T, "policy") == 0 {
			psql(t, l.db, fmt.Sprintf("CREATE POLICY p%d ON leaky ", i)+strings.Replace(p, "AS RESTRICTIVE", "AS RESTRICTIVE FOR SELECT", 1))
		}
	}
	if l.full {
		psql(t, l.db, "ALTER TABLE leaky REPLICA IDENTITY FULL")
	}
	if l.secure {
		psql(t, l.db, "ALTER TABLE leaky ENABLE ROW LEVEL SECURITY")
	}
	psql(t, l.db, "ALTER PUBLICATION supabase_realtime ADD TABLE leaky")
}

// operate does something, and compares what was heard.
func (l *leak) operate(t *testing.T) {
	value := map[string]func() string{
		"owner": func() string { return rapid.SampledFrom([]string{"'" + ann + "'", "'" + bob + "'"}).Draw(l.T, "owner") },
		"room":  func() string { return fmt.Sprint(rapid.IntRange(1, 2).Draw(l.T, "room")) },
		"a":     func() string { return rapid.SampledFrom([]string{"'secret'", "'x'"}).Draw(l.T, "a") },
		"b":     func() string { return rapid.SampledFrom([]string{"'p'", "'q'"}).Draw(l.T, "b") },
	}
	what := rapid.SampledFrom([]string{"insert", "insert", "update", "update", "delete", "join", "part"}).Draw(l.T, "what")
	switch {
	case what == "join":
		psql(t, l.db, "INSERT INTO members VALUES ("+value["room"]()+", "+value["owner"]()+")")
	case what == "part":
		psql(t, l.db, "DELETE FROM members WHERE room = "+value["room"]()+" AND who = "+value["owner"]())
	case what == "insert" || len(l.ids) == 0:
		l.next++
		l.ids = append(l.ids, l.next)
		l.check(t, l.next, fmt.Sprintf("INSERT INTO leaky VALUES (%d, %s, %s, %s, %s)", l.next, value["owner"](), value["room"](), value["a"](), value["b"]()))
	case what == "update":
		var sets []string
		for _, c := range leakColumns[1:] {
			if rapid.Bool().Draw(l.T, "set "+c) {
				sets = append(sets, c+" = "+value[c]())
			}
		}
		id := rapid.SampledFrom(l.ids).Draw(l.T, "id")
		if len(sets) > 0 {
			l.check(t, id, fmt.Sprintf("UPDATE leaky SET %s WHERE id = %d", strings.Join(sets, ", "), id))
		}
	case what == "delete":
		at := rapid.IntRange(0, len(l.ids)-1).Draw(l.T, "at")
		id := l.ids[at]
		l.ids = slices.Delete(l.ids, at, at+1)
		l.check(t, id, fmt.Sprintf("DELETE FROM leaky WHERE id = %d", id))
	}
}

// check runs a statement, and compares what was heard with what may be seen.
func (l *leak) check(t *testing.T, id int, sql string) {
	before, after := map[string]map[string]any{}, map[string]map[string]any{}
	for _, who := range leakUsers {
		before[who] = l.see(t, who, id)
	}
	l.marks++
	psql(t, l.db, sql, fmt.Sprintf("INSERT INTO marks VALUES (%d)", l.marks))
	for _, who := range leakUsers {
		after[who] = l.see(t, who, id)
	}
	for _, who := range leakUsers {
		all := l.hear(who)
		if len(all) > 1 {
			l.Fatalf("%s: %s heard %d changes", sql, who, len(all))
		}
		var one heard
		if len(all) == 1 {
			one = all[0]
		}
		l.judge(who, sql, one.data, before[who], after[who])
	}
}

// judge compares a change, nil if none was heard, with the row as it may be seen
// before and after.
func (l *leak) judge(who, sql string, data map[string]any, before, after map[string]any) {
	role := claimsOf(who).Role
	rights := l.rights[role]
	exempt := !l.secure || who == "service_role"
	old, _ := data["old_record"].(map[string]any)
	record, _ := data["record"].(map[string]any)
	for _, row := range []map[string]any{old, record} {
		for c := range row {
			if !slices.Contains(rights, c) {
				l.Fatalf("%s: %s heard of column %s: %v", sql, who, c, data)
			}
		}
	}
	deleted := strings.HasPrefix(sql, "DELETE")
	switch {
	case deleted:
		if data == nil || data["record"] != nil {
			l.Fatalf("%s: %s heard %v", sql, who, data)
		}
		for c := range old {
			if l.secure && c != "id" {
				l.Fatalf("%s: %s heard of column %s of a row that is gone", sql, who, c)
			}
		}
	case !slices.Contains(rights, "id"):
		if len(record)+len(old) > 0 || data == nil || fmt.Sprint(data["errors"]) != "[Error 401: Unauthorized]" {
			l.Fatalf("%s: %s, who may not see keys, heard %v", sql, who, data)
		}
	case after == nil:
		if data != nil {
			l.Fatalf("%s: %s heard %v, and may not see it", sql, who, data)
		}
	case !maps.EqualFunc(record, after, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }):
		l.Fatalf("%s: %s heard %v, and may see %v", sql, who, data, after)
	case len(old) > 1:
		if !exempt && before == nil {
			l.Fatalf("%s: %s heard %v of a row that could not be seen then", sql, who, old)
		}
		fallthrough
	default:
		for c, v := range old {
			if before != nil && fmt.Sprint(before[c]) != fmt.Sprint(v) {
				l.Fatalf("%s: %s heard %v, and it was %v", sql, who, old, before)
			}
		}
		if strings.HasPrefix(sql, "UPDATE") && exempt && l.full && len(old) != len(rights) {
			l.Fatalf("%s: %s heard %v of what was, and may see %v", sql, who, old, rights)
		}
	}
}

// see returns a row as somebody may see it, nil if he may not.
func (l *leak) see(t *testing.T, who string, id int) (row map[string]any) {
	claims := leakClaims(who)
	rights := l.rights[claims.Role]
	if !slices.Contains(rights, "id") {
		return nil
	}
	tx, err := l.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), "SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", claims.Role, string(claims.Raw)); err != nil {
		t.Fatal(err)
	}
	var text string
	err = tx.QueryRow(t.Context(), fmt.Sprintf("SELECT row_to_json(s)::text FROM (SELECT %s FROM leaky WHERE id = %d) s", strings.Join(rights, ", "), id)).Scan(&text)
	if err == pgx.ErrNoRows {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &row); err != nil {
		t.Fatal(err)
	}
	return row
}

// hear returns what somebody has heard up to the last mark.
func (l *leak) hear(who string) (all []heard) {
	for {
		h := l.ears[who].row()
		if h.data["table"] == "marks" {
			if fmt.Sprint(h.record()["id"]) == fmt.Sprint(l.marks) {
				return all
			}
			all = nil // of an attempt that failed before
			continue
		}
		all = append(all, h)
	}
}

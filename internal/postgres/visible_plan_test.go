package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestRowsAreFoundByTheirKeys looks at plans for a table of 100,000 rows: also
// where policies count, the key's index finds rows, and nothing reads them all.
func TestRowsAreFoundByTheirKeys(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, `CREATE PUBLICATION p`)
	for name, expression := range map[string]string{
		"int8": "n", "uuid": "md5(n::text)::uuid", "text": "n::text", "varchar(20)": "n::text", "timestamptz": "to_timestamp(n)",
	} {
		t.Run(name, func(t *testing.T) {
			rowsExec(t, d, `DROP TABLE IF EXISTS t; CREATE TABLE t (id `+name+` PRIMARY KEY, owner uuid);
				INSERT INTO t SELECT `+expression+` FROM generate_series(1, 100000) n; ANALYZE t;
				ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t FOR SELECT USING (true); ALTER PUBLICATION p ADD TABLE t`)
			s := newSelection(rowsTable(t, d, "t"))
			for _, policy := range []string{"(SELECT auth.uid()) = owner", "auth.uid() = owner"} {
				rowsExec(t, d, `ALTER POLICY own ON t USING (`+policy+`)`)
				for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
					for _, sql := range []string{s.one, s.many} {
						plan := rowsPlan(t, d, sql, mode)
						if !strings.Contains(plan, "using t_pkey") || strings.Contains(plan, "Seq Scan") {
							t.Errorf("%s, %s, %s:\n%s", policy, sql, mode, plan)
						}
					}
				}
			}
		})
	}
}

// rowsPlan returns the plan of a statement of one or two keys, as a viewer has it.
func rowsPlan(t testing.TB, d *Database, sql, mode string) string {
	t.Helper()
	conn := rowsStranger(t, d)
	defer conn.Close(t.Context())
	var value string
	if err := conn.QueryRow(t.Context(), `SELECT quote_literal(id) FROM t LIMIT 1`).Scan(&value); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sql, "text[]") {
		value = "ARRAY[" + value + ", " + value + "]::text[]"
	}
	results, err := conn.PgConn().Exec(t.Context(), `SET ROLE authenticated; SET plan_cache_mode = `+mode+`; PREPARE look AS `+sql+
		`; EXPLAIN EXECUTE look (`+value+`)`).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rowsLines(results[len(results)-1])
}

func rowsLines(r *pgconn.Result) string {
	var b strings.Builder
	for _, row := range r.Rows {
		b.Write(row[0])
		b.WriteByte('\n')
	}
	return b.String()
}

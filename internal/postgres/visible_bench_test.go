package postgres

import (
	"strconv"
	"testing"
	"time"
)

// BenchmarkVisible is 1,000 viewers who look at some rows, of which each viewer
// has one in a thousand.
func BenchmarkVisible(b *testing.B) {
	const viewers = 1000
	for name, policy := range map[string]string{
		"per row": "auth.uid() = owner", "once": "(SELECT auth.uid()) = owner", "none": "",
	} {
		d := rowsDatabase(b, `CREATE TABLE t (id int8 PRIMARY KEY, owner uuid)`,
			`INSERT INTO t SELECT n, ('00000000-0000-4000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid FROM generate_series(1, 100000) n`,
			`ANALYZE t`, `CREATE PUBLICATION p FOR TABLE t`)
		if policy != "" {
			rowsExec(b, d, `ALTER TABLE t ENABLE ROW LEVEL SECURITY`, `CREATE POLICY own ON t FOR SELECT USING (`+policy+`)`)
		}
		table := rowsTable(b, d, "t")
		for _, keys := range []int{1, 100} {
			b.Run(name+"/"+strconv.Itoa(keys), func(b *testing.B) {
				var looks []*Look
				for v := range viewers {
					l := &Look{Viewer: rowsUser(v), Table: table}
					for k := range keys {
						l.Keys = append(l.Keys, []string{strconv.Itoa(1 + v + k*17)})
					}
					looks = append(looks, l)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := d.Visible(b.Context(), looks); err != nil {
						b.Fatal(err)
					}
				}
				if looks[0].Err != nil {
					b.Fatal(looks[0].Err)
				}
				each := float64(b.Elapsed()) / float64(time.Microsecond) / float64(b.N) / viewers
				b.ReportMetric(each, "µs/look")
				b.ReportMetric(each/float64(keys), "µs/key")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

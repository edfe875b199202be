package rls

import "testing"

// BenchmarkVisible judges one row, as is done for each subscriber.
func BenchmarkVisible(b *testing.B) {
	for name, bb := range map[string]struct {
		policy Policy
		values []string
		row    []string
	}{
		"owner":          {permissive("(auth.uid() = owner)", uid), []string{alice}, []string{alice}},
		"public or mine": {permissive("((title = 'public'::text) OR (auth.uid() = owner))", uid), []string{alice}, []string{"private", alice}},
		"organisation":   {permissive("(((auth.jwt() ->> 'org'::text))::bigint = id)", jwt), []string{"12345"}, []string{"12345"}},
		"true":           {permissive("true"), nil, nil},
	} {
		b.Run(name, func(b *testing.B) {
			p := plan(b, bb.policy)
			j, r := judge(b, p, bb.values...), row(p, bb.row...)
			b.ReportAllocs()
			for b.Loop() {
				j.Visible(r)
			}
		})
	}
}

// BenchmarkFor makes the judge of one identity, once for each that is new.
func BenchmarkFor(b *testing.B) {
	p := plan(b, permissive("((title = 'public'::text) OR (auth.uid() = owner))", uid))
	value := alice
	b.ReportAllocs()
	for b.Loop() {
		p.For([]*string{&value})
	}
}

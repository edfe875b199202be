package rls

import (
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

// FuzzRead gives Read anything as a policy and as a function's body. What it
// understands it must understand completely: its expressions are expressions by
// themselves, and its judges know a verdict on every row that is known.
func FuzzRead(f *testing.F) {
	for _, using := range []string{
		"((title = 'public'::text) OR (auth.uid() = owner))", "(( SELECT auth.uid() AS uid) = owner)", "(NOT (owner IS DISTINCT FROM auth.uid()))",
		"(status = ANY (ARRAY['draft'::public.status, 'public'::public.status]))", "(title = ANY ('{a,b}'::text[]))", "((id)::text = auth.email())",
		"(((auth.jwt() -> 'app'::text) ->> 'org'::text))::boolean", "(\"user\" = COALESCE(auth.email(), 'it''s'::text))", "((id >= 1) AND (id <= 10) AND done)",
	} {
		f.Add(using, uid.Body)
		f.Add(using, jwt.Body)
	}
	f.Fuzz(func(t *testing.T, using, body string) {
		function := uid
		function.Body = body
		policy := Policy{Permissive: true, Using: using, Helpers: []Function{function, jwt}}
		p, ok := Read([]Policy{policy}, todos)
		if !ok {
			return
		}
		values := make([]*string, len(p.Expressions()))
		for _, sql := range p.Expressions() {
			if e, ok := parsePolicy(sql, nil); !ok || e.columns || !strings.Contains(using, sql) {
				t.Errorf("%q is no expression of %q", sql, using)
			}
		}
		judge, ok := p.For(values)
		if !ok {
			t.Fatalf("%q: NULL is no value", using)
		}
		nulls := make([]tutti.Value, len(p.Columns()))
		for i := range nulls {
			nulls[i].Kind = tutti.Null
		}
		if _, ok := judge.Visible(p.Row(nulls)); !ok {
			t.Errorf("%q: no verdict", using)
		}
		judge.Visible(p.Row(nil))
	})
}

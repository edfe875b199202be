package rls

import (
	"reflect"
	"slices"
	"testing"

	"github.com/tutti-realtime/tutti"
)

const (
	alice = "11111111-1111-1111-1111-111111111111"
	bob   = "22222222-2222-2222-2222-222222222222"
)

// uid is auth.uid() as most databases have it.
var uid = Function{
	Schema: "auth", Name: "uid", Result: "uuid", Language: "sql", Volatility: 's',
	Body: `select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
		(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid`,
}

// jwt is auth.jwt().
var jwt = Function{
	Schema: "auth", Name: "jwt", Result: "jsonb", Language: "sql", Volatility: 's',
	Body: `select coalesce(nullif(current_setting('request.jwt.claim', true), ''),
		nullif(current_setting('request.jwt.claims', true), ''))::jsonb`,
}

// todos is the columns of a table.
var todos = []Column{
	{Name: "id", Type: int8OID, TypeName: "bigint", Deterministic: true},
	{Name: "owner", Type: uuidOID, TypeName: "uuid", Deterministic: true},
	{Name: "done", Type: boolOID, TypeName: "boolean", Deterministic: true},
	{Name: "title", Type: textOID, TypeName: "text", Deterministic: true},
	{Name: "loose", Type: textOID, TypeName: "text"},
	{Name: "status", Type: 70000, TypeName: "public.status", Enum: true, Deterministic: true},
	{Name: "kind", Type: 70001, TypeName: "public.kind", Deterministic: true},
	{Name: "flag", Type: boolOID, TypeName: "public.flag", Domain: true, Deterministic: true},
	{Name: "user", Type: textOID, TypeName: "text", Deterministic: true},
}

// permissive returns a policy that calls these functions.
func permissive(using string, functions ...Function) Policy {
	return Policy{Permissive: true, Using: using, Functions: functions}
}

// plan reads policies that are understood.
func plan(t testing.TB, policies ...Policy) *Plan {
	t.Helper()
	p, ok := Read(policies, todos)
	if !ok {
		t.Fatalf("not understood: %+v", policies)
	}
	return p
}

// judge returns the judge of an identity with these values, "" for NULL.
func judge(t testing.TB, p *Plan, values ...string) *Judge {
	t.Helper()
	var pointers []*string
	for _, v := range values {
		if v == "" {
			pointers = append(pointers, nil)
		} else {
			pointers = append(pointers, &v)
		}
	}
	j, ok := p.For(pointers)
	if !ok {
		t.Fatalf("refuses the values %q", values)
	}
	return j
}

// row returns values of a plan's columns, "" for NULL and "?" for those that are
// not known.
func row(p *Plan, values ...string) Row {
	var row []tutti.Value
	for _, v := range values {
		switch v {
		case "":
			row = append(row, tutti.Value{Kind: tutti.Null})
		case "?":
			row = append(row, tutti.Value{Kind: tutti.Unchanged})
		default:
			row = append(row, tutti.Value{Kind: tutti.Text, Text: []byte(v)})
		}
	}
	return p.Row(row)
}

func TestAPlanSaysWhatItReads(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policies    []Policy
		expressions []string
		columns     []string
		claims      []string
		all         bool
	}{
		"of the owner":   {policies: []Policy{permissive("(auth.uid() = owner)", uid)}, expressions: []string{"auth.uid()"}, columns: []string{"owner"}, claims: []string{"sub"}},
		"of a constant":  {policies: []Policy{permissive("true")}},
		"of no policies": {},
		"of a sub-select": {
			policies:    []Policy{permissive("(( SELECT auth.uid() AS uid) = owner)", uid)},
			expressions: []string{"( SELECT auth.uid() AS uid)"}, columns: []string{"owner"}, claims: []string{"sub"},
		},
		"each only once": {
			policies:    []Policy{permissive("((auth.uid() = owner) OR done)", uid), permissive("((auth.uid() = owner) AND (NOT done))", uid)},
			expressions: []string{"auth.uid()"}, columns: []string{"owner", "done"}, claims: []string{"sub"},
		},
		"of a member of all claims": {
			policies:    []Policy{permissive("(((auth.jwt() ->> 'org'::text))::bigint = id)", jwt)},
			expressions: []string{"((auth.jwt() ->> 'org'::text))::bigint"}, columns: []string{"id"}, claims: []string{"org"},
		},
		"of a member's member": {
			policies:    []Policy{permissive("((auth.jwt() #>> '{app,role}'::text[]) = 'a'::text)", jwt)},
			expressions: []string{"((auth.jwt() #>> '{app,role}'::text[]) = 'a'::text)"}, claims: []string{"app"},
		},
		"of all claims": {
			policies:    []Policy{permissive("((auth.jwt())::text = title)", jwt)},
			expressions: []string{"(auth.jwt())::text"}, columns: []string{"title"}, all: true,
		},
		"of a member whose name is computed": {
			policies:    []Policy{permissive("((auth.jwt() ->> (auth.uid())::text) = title)", jwt, uid)},
			expressions: []string{"(auth.jwt() ->> (auth.uid())::text)"}, columns: []string{"title"}, claims: []string{"sub"}, all: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, tt.policies...)
			claims, all := p.Claims()
			if e, c := p.Expressions(), p.Columns(); !slices.Equal(e, tt.expressions) || !slices.Equal(c, tt.columns) {
				t.Errorf("asks for %q and reads %q", e, c)
			}
			if !slices.Equal(claims, tt.claims) || all != tt.all {
				t.Errorf("depends on claims %q, %v", claims, all)
			}
		})
	}
}

func TestAJudgeKnowsSQLsLogic(t *testing.T) {
	t.Parallel()
	const owner, done = "(auth.uid() = owner)", "((auth.uid() = owner) OR done)"
	for name, tt := range map[string]struct {
		policies []Policy
		uid      string
		row      []string
		visible  bool
		unknown  bool
	}{
		"the owner sees it":                       {policies: []Policy{permissive(owner, uid)}, uid: alice, row: []string{alice}, visible: true},
		"another does not":                        {policies: []Policy{permissive(owner, uid)}, uid: bob, row: []string{alice}},
		"nobody owns a row without an owner":      {policies: []Policy{permissive(owner, uid)}, uid: alice, row: []string{""}},
		"nobody without a name owns a row":        {policies: []Policy{permissive(owner, uid)}, uid: "", row: []string{""}},
		"who is nobody needs no row":              {policies: []Policy{permissive(owner, uid)}, uid: "", row: []string{"?"}},
		"an owner who is not known":               {policies: []Policy{permissive(owner, uid)}, uid: alice, row: []string{"?"}, unknown: true},
		"an owner who is no UUID is not known":    {policies: []Policy{permissive(owner, uid)}, uid: alice, row: []string{"A"}, unknown: true},
		"what is true anyway needs no owner":      {policies: []Policy{permissive(done, uid)}, uid: alice, row: []string{"?", "t"}, visible: true},
		"what is not true needs the owner":        {policies: []Policy{permissive(done, uid)}, uid: alice, row: []string{"?", "f"}, unknown: true},
		"NULL is not true":                        {policies: []Policy{permissive("(NOT (auth.uid() = owner))", uid)}, uid: alice, row: []string{""}},
		"not NULL where it is asked":              {policies: []Policy{permissive("((auth.uid() = owner) IS NOT TRUE)", uid)}, uid: alice, row: []string{""}, visible: true},
		"NULL differs from a value":               {policies: []Policy{permissive("(owner IS DISTINCT FROM auth.uid())", uid)}, uid: alice, row: []string{""}, visible: true},
		"NULL does not differ from NULL":          {policies: []Policy{permissive("(NOT (owner IS DISTINCT FROM auth.uid()))", uid)}, row: []string{""}, visible: true},
		"one permissive policy is enough":         {policies: []Policy{permissive("false"), permissive(owner, uid)}, uid: alice, row: []string{alice}, visible: true},
		"each restrictive policy is needed":       {policies: []Policy{permissive(owner, uid), {Using: "done"}}, uid: alice, row: []string{alice, "f"}},
		"restrictive policies alone show nothing": {policies: []Policy{{Using: "true"}}},
		"a permissive policy without USING too":   {policies: []Policy{{Permissive: true}}},
		"a restrictive policy without USING":      {policies: []Policy{permissive("true"), {}}, visible: true},
		"what does not matter is not read":        {policies: []Policy{{Using: "(now() > now())"}}},
		"a row without columns is not known":      {policies: []Policy{permissive("done")}, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, tt.policies...)
			values := make([]string, len(p.Expressions()))
			for i := range values {
				values[i] = tt.uid
			}
			visible, ok := judge(t, p, values...).Visible(row(p, tt.row...))
			if visible != tt.visible || ok == tt.unknown {
				t.Errorf("visible: %v, %v", visible, ok)
			}
		})
	}
}

func TestValuesThatAreNotOfTheirTypeAreRefused(t *testing.T) {
	t.Parallel()
	number := Function{Schema: "app", Name: "n", Result: "bigint", Language: "sql", Volatility: 'i', Body: "SELECT 1"}
	for name, tt := range map[string]struct {
		policy Policy
		value  string
	}{
		"a UUID in capitals":    {permissive("(auth.uid() = owner)", uid), "AAAAAAAA-1111-1111-1111-111111111111"},
		"a UUID that is short":  {permissive("(auth.uid() = owner)", uid), "1"},
		"a number with zeros":   {permissive("(app.n() = id)", number), "01"},
		"a number out of range": {permissive("(app.n() = id)", number), "9223372036854775808"},
		"a boolean that is not": {permissive("(app.n() = 1)", number), "1"},
	} {
		if j, ok := plan(t, tt.policy).For([]*string{&tt.value}); ok {
			t.Errorf("%s: %+v", name, j)
		}
	}
	if _, ok := plan(t, permissive("(auth.uid() = owner)", uid)).For(nil); ok {
		t.Error("values are missing")
	}
}

func TestAlwaysIsWhatNeedsNoRow(t *testing.T) {
	t.Parallel()
	p := plan(t, permissive("((auth.uid() IS NOT NULL) AND (auth.uid() = owner))", uid))
	if visible, ok := judge(t, p, "f", alice).Always(); visible || !ok {
		t.Errorf("a stranger sees something: %v, %v", visible, ok)
	}
	if _, ok := judge(t, p, "t", alice).Always(); ok {
		t.Error("what an owner sees depends on the row")
	}
	if visible, ok := judge(t, plan(t, permissive("true"))).Always(); !visible || !ok {
		t.Errorf("not everybody sees everything: %v, %v", visible, ok)
	}
}

func TestTheKeyIsTheOneComparison(t *testing.T) {
	t.Parallel()
	for using, want := range map[string]int{
		"(auth.uid() = owner)":                                             0,
		"((title = 'public'::text) OR (auth.uid() = owner))":               1,
		"(((auth.uid() = owner) AND done) OR (title IS NULL))":             0,
		"(NOT (auth.uid() = owner))":                                       -1,
		"((auth.uid() = owner) IS NOT TRUE)":                               -1,
		"(auth.uid() <> owner)":                                            -1,
		"(NOT (owner IS DISTINCT FROM auth.uid()))":                        -1,
		"((auth.uid() = owner) OR (auth.uid() IS NULL))":                   -1,
		"((auth.uid() = owner) OR (( SELECT auth.uid() AS uid) = owner))":  -1,
		"((auth.uid() IS NULL) = done)":                                    -1,
		"((auth.uid() = owner) AND (owner = '" + alice + "'::uuid))":       0,
		"((auth.uid() = owner) OR ((auth.uid() = owner) AND (NOT done)))":  -1,
		"((NOT done) AND ((title = 'a'::text) OR (owner = auth.uid())))":   2,
		"((NOT ((title = 'a'::text) AND done)) AND (owner = auth.uid()))":  2,
		"(auth.uid() = ANY (ARRAY[owner]))":                                0,
		"(owner = ANY (ARRAY[auth.uid(), '" + alice + "'::uuid]))":         0,
		"(owner <> ALL (ARRAY[auth.uid()]))":                               -1,
		"((owner = auth.uid()) AND ((auth.uid())::text IS NOT NULL))":      -1,
		"(((owner)::text = (auth.uid())::text) OR (done IS NOT DISTINCT))": -2,
	} {
		p, ok := Read([]Policy{permissive(using, uid)}, todos)
		if !ok {
			if want != -2 {
				t.Errorf("not understood: %s", using)
			}
			continue
		}
		column, expression, ok := p.Key()
		if ok != (want >= 0) || ok && (column != want || expression != 0) {
			t.Errorf("%s: the key is column %d, %v", using, column, ok)
		}
	}
}

func TestAPlanIsNotChanged(t *testing.T) {
	t.Parallel()
	p := plan(t, permissive("((auth.uid() = owner) OR done)", uid), Policy{Using: "(title IS NOT NULL)"})
	before := *plan(t, permissive("((auth.uid() = owner) OR done)", uid), Policy{Using: "(title IS NOT NULL)"})
	for _, who := range []string{alice, "", bob} {
		judge(t, p, who).Visible(row(p, alice, "t", "x"))
	}
	if !reflect.DeepEqual(*p, before) {
		t.Errorf("%+v, was %+v", *p, before)
	}
}

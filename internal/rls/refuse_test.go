package rls

import (
	"strings"
	"testing"
)

func TestWhatIsNotCertainIsRefused(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Policy{
		"an operator of one's own":            permissive("(title OPERATOR(public.=) 'a'::text)"),
		"one that is not shown":               {Permissive: true, Using: "(title IS DISTINCT FROM 'a'::text)", Operators: true},
		"a cast that is not shown":            permissive("done", Function{Schema: "public", Name: "to_bool", Arguments: "public.kind"}),
		"a function that is not shown":        permissive("done", uid),
		"a function that is not known":        permissive("(auth.uid() = owner)"),
		"a function with a default":           permissive("(auth.uid() = owner)", Function{Schema: "auth", Name: "uid", Arguments: "a integer DEFAULT 1", Result: "uuid"}),
		"one of two of a name":                permissive("(auth.uid() = owner)", uid, Function{Schema: "auth", Name: "uid", Arguments: "a integer", Result: "uuid"}),
		"a value in place of a column":        permissive("(USER = 'a'::name)"),
		"the value user":                      permissive("(USER = title)"),
		"a column of another table":           permissive("(todos.done)"),
		"a row":                               permissive("(todos.* IS NULL)"),
		"a column that is not there":          permissive("(absent IS NULL)"),
		"a system column":                     permissive("(xmin IS NULL)"),
		"a type that may be composite":        permissive("(kind IS NULL)"),
		"a domain":                            permissive("flag"),
		"a loose collation":                   permissive("(loose = 'a'::text)"),
		"a loose collation under a cast":      permissive("((loose)::text = 'a'::text)"),
		"another enum":                        permissive("(status = 'a'::public.kind)"),
		"an enum as text, and turned":         permissive("(status = 'a'::text)"),
		"an order of texts":                   permissive("(title < 'a'::text)"),
		"an order of enums":                   permissive("(status > 'a'::public.status)"),
		"a backslash":                         permissive(`(title = 'a\b'::text)`),
		"an escape":                           permissive(`(title = E'a'::text)`),
		"a Unicode escape":                    permissive(`(title = U&'a'::text)`),
		"a bit string":                        permissive(`(title = b'1'::text)`),
		"a literal in two pieces":             permissive("(title = 'a'\n'b'::text)"),
		"a literal without a type":            permissive("(title = 'a')"),
		"an unclosed literal":                 permissive("(title = 'a"),
		"an unclosed name":                    permissive(`(title = "a`),
		"an unclosed comment":                 permissive("done /* /* */"),
		"an unclosed parenthesis":             permissive("(done"),
		"something behind the end":            permissive("done)"),
		"a name with a dollar":                permissive("do$ne"),
		"a name outside of ASCII":             permissive("größe"),
		"an upper case column":                permissive("DONE"),
		"a parameter":                         permissive("($1 = title)"),
		"a fraction":                          permissive("(id = 1.0)"),
		"a number that is too large":          permissive("(id = 9223372036854775808)"),
		"a number with leading zeros":         permissive("(id = '05'::bigint)"),
		"a narrower number":                   permissive("((id)::integer = 5)"),
		"a number that may be rounded":        permissive("((id)::double precision = '5'::double precision)"),
		"a UUID that is not canonical":        permissive("(owner = 'ABC'::uuid)"),
		"a cut text":                          permissive("((title)::character varying(5) = 'a'::text)"),
		"a varchar as such":                   permissive("(title = 'a'::character varying)"),
		"a collation":                         permissive(`((title COLLATE "C") = 'a'::text)`),
		"an array that is computed":           permissive("(title = ANY (string_to_array('a'::text, ','::text)))"),
		"an array with quotes":                permissive(`(title = ANY ('{"a"}'::text[]))`),
		"an array with a NULL":                permissive("(title = ANY ('{a,NULL}'::text[]))"),
		"an array of a column":                permissive("(title = ANY (ARRAY[title]))"),
		"no elements":                         permissive("(title = ANY (ARRAY[]::text[]))"),
		"an array of another type":            permissive("(title = ANY ((ARRAY[auth.uid()])::text[]))", uid),
		"ALL of one that is equal to nothing": permissive("(title < ALL (ARRAY['a'::text]))"),
		"a sub-select of a column":            permissive("( SELECT todos.done)"),
		"a sub-select of a table":             permissive("(EXISTS ( SELECT 1 FROM public.members))"),
		"a sub-select with a limit":           permissive("( SELECT true AS x LIMIT 1)"),
		"a sub-select of two":                 permissive("( SELECT true, false)"),
		"a setting that is not ours":          permissive("(current_setting('app.tenant'::text, true) = title)"),
		"a setting whose name is computed":    permissive("(current_setting(title, true) = title)"),
		"a setting without its name":          permissive("(current_setting() = title)"),
		"a clock":                             permissive("(now() IS NOT NULL)"),
		"a date that depends on the clock":    permissive("(('today'::text)::date = 'today'::date)"),
		"what is no condition":                permissive("'a'::text"),
		"a number as condition":               permissive("1"),
		"a column as condition":               permissive("title"),
		"a text too deep":                     permissive(strings.Repeat("(", 100) + "done" + strings.Repeat(")", 100)),
		"NOT too deep":                        permissive(strings.Repeat("NOT ", 100) + "done"),
		"a text too long":                     permissive("done" + strings.Repeat(" ", maxSource)),
		"nothing but space":                   permissive(" "),
		"a condition compared with another":   permissive("((title = 'a'::text) = done)"),
		"a column that is computed":           permissive("((id + 1) = 5)"),
		"the user compared with a column":     permissive("(title = (CURRENT_USER)::text)"),
		"a JSON array of all claims":          permissive("(auth.jwt() = '{}'::json)", jwt),
		"an XML":                              permissive("((auth.jwt())::xml IS NULL)", jwt),
	} {
		if plan, ok := Read([]Policy{p}, todos); ok {
			t.Errorf("%s is understood: %+v", name, plan)
		}
		if _, ok := Read([]Policy{permissive("true"), p}, todos); ok {
			t.Errorf("%s is understood beside another policy", name)
		}
	}
}

func TestFunctionsThatAreNotCertainAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(f *Function){
		"another language":               func(f *Function) { f.Language = "plpgsql" },
		"volatile":                       func(f *Function) { f.Volatility = 'v' },
		"security definer":               func(f *Function) { f.SecurityDefiner = true },
		"with a role of its own":         func(f *Function) { f.Config = []string{"role=postgres"} },
		"with claims of its own":         func(f *Function) { f.Config = []string{"request.jwt.claims={}"} },
		"names of pg_catalog come last":  func(f *Function) { f.Config = []string{"search_path=public, pg_catalog"} },
		"names of quoted pg_catalog too": func(f *Function) { f.Config = []string{`search_path=public, "pg_catalog"`} },
		"a type of one's own":            func(f *Function) { f.Result = "public.uuid" },
		"a set":                          func(f *Function) { f.Result = "SETOF uuid" },
		"no body":                        func(f *Function) { f.Body = "" },
		"no SELECT":                      func(f *Function) { f.Body = "DELETE FROM t RETURNING id" },
		"two statements":                 func(f *Function) { f.Body = "select set_config('a', 'b', true); " + f.Body },
		"a table":                        func(f *Function) { f.Body = "select id from public.users" },
		"a column":                       func(f *Function) { f.Body = "select id" },
		"a table in a sub-select":        func(f *Function) { f.Body = "select (select id from public.users limit 1)" },
		"a dollar quote":                 func(f *Function) { f.Body = "select $a$b$a$::uuid" },
		"a random value":                 func(f *Function) { f.Body = "select gen_random_uuid()" },
		"a function that is not known":   func(f *Function) { f.Body = "select app.uid()" },
		"itself":                         func(f *Function) { f.Body = "select auth.uid()" },
		"an argument":                    func(f *Function) { f.Body = "select $1" },
		"a comment that hides nothing":   func(f *Function) { f.Body = "select --\nid" },
		"an operator that may be anyone's": func(f *Function) {
			f.Body = "select (current_setting('request.jwt.claims', true) ->> 'sub')::uuid"
		},
		"types that have no operator": func(f *Function) { f.Body = "select (auth.uid() = 'a'::text)::text::uuid" },
		"a date":                      func(f *Function) { f.Body = "select 'today'::date::text::uuid" },
		"a function of a type's name": func(f *Function) { f.Body = "select uuid(current_setting('request.jwt.claims'))" },
		"LIKE":                        func(f *Function) { f.Body = "select ('a' like 'b')::text::uuid" },
		"IN":                          func(f *Function) { f.Body = "select ('a' in ('b'))::text::uuid" },
		"a window":                    func(f *Function) { f.Body = "select lower('a'::text) over ()" },
		"a limit":                     func(f *Function) { f.Body += " limit 0" },
	} {
		f := uid
		change(&f)
		if _, ok := Read([]Policy{permissive("(auth.uid() = owner)", f)}, todos); ok {
			t.Errorf("%s is understood: %+v", name, f)
		}
	}
	for name, change := range map[string]func(f *Function){
		"an empty path":     func(f *Function) { f.Config = []string{`search_path=""`} },
		"a path of its own": func(f *Function) { f.Config = []string{"search_path=public, auth"} },
		"pg_catalog first":  func(f *Function) { f.Config = []string{"search_path=pg_catalog, public"} },
		"semicolons":        func(f *Function) { f.Body += " ; ;" },
		"a label":           func(f *Function) { f.Body += ` AS "The ""name"""` },
		"comments":          func(f *Function) { f.Body = "/* a /* b */ */ " + f.Body + " -- c" },
		"SQL's own cast":    func(f *Function) { f.Body = "select cast(current_setting('request.jwt.claims')::json->>'sub' as uuid)" },
		"the name of a schema": func(f *Function) {
			f.Body = "select pg_catalog.current_setting('request.jwt.claim.sub', true)::pg_catalog.uuid"
		},
	} {
		f := uid
		change(&f)
		if _, ok := Read([]Policy{permissive("(auth.uid() = owner)", f)}, todos); !ok {
			t.Errorf("%s is not understood: %+v", name, f)
		}
	}
}

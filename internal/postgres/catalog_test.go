package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

// rowsSay writes which tables and columns are published, in one line.
func rowsSay(c *Catalog) string {
	var all []string
	for _, r := range c.Relations {
		text := r.Schema + "." + r.Name
		for _, column := range r.Columns {
			if column.Published {
				text += " " + column.Name
			} else {
				text += " -" + column.Name
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func TestWhatAPublicationPublishes(t *testing.T) {
	t.Parallel()
	const tables = `
		CREATE TABLE a (id int PRIMARY KEY, gone int, x text, twice int GENERATED ALWAYS AS (id * 2) STORED);
		ALTER TABLE a DROP COLUMN gone;
		CREATE SCHEMA "Other one";
		CREATE TABLE "Other one"."Ta.ble" ("Id" int PRIMARY KEY);
		CREATE TABLE root (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
		CREATE TABLE leaf PARTITION OF root FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
		CREATE SCHEMA realtime; CREATE TABLE realtime.claims (id int PRIMARY KEY);
		CREATE UNLOGGED TABLE unlogged (id int);
		CREATE VIEW v AS SELECT 1 AS one;
		DROP TABLE todos CASCADE;
		DROP SCHEMA _realtime CASCADE;`
	d := rowsDatabase(t, tables)
	for name, tt := range map[string]struct{ create, want string }{
		"some tables": {`CREATE PUBLICATION p FOR TABLE a, "Other one"."Ta.ble"`, "Other one.Ta.ble Id; public.a id x -twice"},
		"no tables":   {`CREATE PUBLICATION p`, ""},
		"a list of columns": {
			`CREATE PUBLICATION p FOR TABLE a (id)`, "public.a id -x -twice",
		},
		"tables in a schema": {
			`CREATE PUBLICATION p FOR TABLES IN SCHEMA "Other one"`, "Other one.Ta.ble Id",
		},
		"all tables": {
			`CREATE PUBLICATION p FOR ALL TABLES`, "Other one.Ta.ble Id; public.a id x -twice; public.leaf id day",
		},
		"all tables by their roots": {
			`CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root)`,
			"Other one.Ta.ble Id; public.a id x -twice; public.root id day",
		},
		"a partitioned table":                     {`CREATE PUBLICATION p FOR TABLE root`, "public.leaf id day"},
		"a partitioned table by its root":         {`CREATE PUBLICATION p FOR TABLE root WITH (publish_via_partition_root)`, "public.root id day"},
		"a partition alone, by what is the root":  {`CREATE PUBLICATION p FOR TABLE leaf WITH (publish_via_partition_root)`, "public.leaf id day"},
		"tables that nobody may subscribe to":     {`CREATE PUBLICATION p FOR TABLE realtime.claims`, ""},
		"something with rows that are left out":   {`CREATE PUBLICATION p FOR TABLE a WHERE (id > 5)`, "public.a id x -twice"},
		"something that has a publication's name": {`CREATE PUBLICATION "P"; CREATE PUBLICATION p FOR TABLE leaf`, "public.leaf id day"},
	} {
		t.Run(name, func(t *testing.T) {
			rowsExec(t, d, tt.create)
			defer rowsExec(t, d, `DROP PUBLICATION p`)
			c := rowsCatalog(t, d)
			if c.Missing {
				t.Error("it is missing")
			}
			if got := rowsSay(c); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAPublicationThatDoesNotExist(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t)
	c, err := d.Catalog(t.Context(), "nothing'", []string{"anon", "nobody"})
	if err != nil || !c.Missing || len(c.Relations) != 0 {
		t.Fatalf("%+v, %v", c, err)
	}
	if c.Roles["anon"] == nil || c.Roles["nobody"] != nil {
		t.Errorf("roles %v", c.Roles)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	c := rowsCatalog(t, rowsDatabase(t, `
		CREATE TYPE mood AS ENUM ('sad', 'happy'); ALTER TYPE mood ADD VALUE 'ok' BEFORE 'happy';
		CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE DOMAIN smaller AS small;
		CREATE COLLATION tr (provider = icu, locale = 'tr-TR');
		CREATE DOMAIN turkish AS text COLLATE tr; CREATE DOMAIN plain AS text COLLATE "C";
		CREATE TABLE t (s smaller, m mood, l mood[], v varchar(10), b char(3), n name, x text COLLATE "C", d turkish, c plain,
			id uuid, PRIMARY KEY (id, s) INCLUDE (m));
		CREATE PUBLICATION p FOR TABLE t`))
	var got []string
	for _, c := range c.Relations[0].Columns {
		got = append(got, fmt.Sprintf("%s %d %s %s %c %v %v %v %v %s",
			c.Name, c.Number, c.TypeName, c.SQLName, c.Category, c.Domain, c.Labels, c.Collation, c.Primary, c.cast))
	}
	want := []string{
		"s 1 smaller smaller N true [] 0 true pg_catalog.int4",
		"m 2 mood mood E false [sad ok happy] 0 false public.mood",
		"l 3 _mood mood[] A false [] 0 false public._mood",
		`v 4 varchar character varying S false [] 0 false pg_catalog."varchar"`,
		"b 5 bpchar character S false [] 0 false pg_catalog.bpchar",
		"n 6 name name S false [] 1 false pg_catalog.name",
		"x 7 text text S false [] 0 false pg_catalog.text",
		"d 8 turkish turkish S true [] 2 false pg_catalog.text",
		"c 9 plain plain S true [] 1 false pg_catalog.text",
		"id 10 uuid uuid U false [] 0 true pg_catalog.uuid",
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

func TestCollations(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		locale locale
		want   Collation
	}{
		"C":                          {locale{"c", true, "C", "C", ""}, ByteOrder},
		"POSIX":                      {locale{"c", true, "POSIX", "POSIX", ""}, ByteOrder},
		"C that knows letters":       {locale{"c", true, "C", "en_US.UTF-8", ""}, Linguistic},
		"C.UTF-8 of the system":      {locale{"c", true, "C.UTF-8", "C.UTF-8", ""}, Linguistic},
		"English":                    {locale{"c", true, "en_US.UTF-8", "en_US.UTF-8", ""}, Linguistic},
		"Turkish of the system":      {locale{"c", true, "tr_TR.UTF-8", "tr_TR.UTF-8", ""}, Odd},
		"Turkish letters":            {locale{"c", true, "C", "tr_TR", ""}, Odd},
		"Turkish of Windows":         {locale{"c", true, "Turkish_Turkey.1254", "Turkish_Turkey.1254", ""}, Odd},
		"Turkish of ICU":             {locale{"i", true, "", "", "tr-TR-u-co-standard"}, Odd},
		"Azeri of ICU before 15":     {locale{"i", true, "az", "az", ""}, Odd},
		"Lithuanian":                 {locale{"i", true, "", "", "lt"}, Odd},
		"a language that begins so":  {locale{"i", true, "", "", "trv"}, Linguistic},
		"ICU's root":                 {locale{"i", true, "", "", "und"}, Linguistic},
		"not deterministic":          {locale{"i", false, "", "", "und-u-ks-level2"}, Odd},
		"PostgreSQL's own C":         {locale{"b", true, "en_US", "en_US", "C"}, ByteOrder},
		"PostgreSQL's own C.UTF-8":   {locale{"b", true, "C", "C", "C.UTF-8"}, Linguistic},
		"somebody else's, of future": {locale{"x", true, "C", "C", "C"}, Linguistic},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.locale.collation(); got != tt.want {
				t.Errorf("got %d", got)
			}
		})
	}
}

func TestHundredsOfTables(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, `DO $$ BEGIN FOR i IN 1..300 LOOP
		EXECUTE format('CREATE TABLE t%s (id int8 PRIMARY KEY, owner uuid, a text, b text, c jsonb, d timestamptz)', i);
		EXECUTE format('ALTER TABLE t%s ENABLE ROW LEVEL SECURITY', i);
		EXECUTE format('CREATE POLICY own ON t%s FOR SELECT USING (auth.uid() = owner)', i);
	END LOOP; END $$`, `CREATE PUBLICATION p FOR ALL TABLES`)
	c := rowsCatalog(t, d)
	n := 0
	for _, r := range c.Relations {
		if r.Schema == "public" && r.Name != "todos" {
			n++
			p := c.Roles["anon"].Privileges[r.OID]
			if len(r.Columns) != 6 || len(r.Policies) != 1 || len(p.Selectable) != 6 || p.Exempt || !slices.Equal(p.Policies, []int{0}) {
				t.Fatalf("%+v %+v", r, p)
			}
		}
	}
	if n != 300 {
		t.Errorf("%d tables", n)
	}
}

func BenchmarkCatalogOf300Tables(b *testing.B) {
	d := rowsDatabase(b, `DO $$ BEGIN FOR i IN 1..300 LOOP
		EXECUTE format('CREATE TABLE t%s (id int8 PRIMARY KEY, owner uuid, a text, b text, c jsonb, d timestamptz)', i);
		EXECUTE format('CREATE POLICY own ON t%s FOR SELECT USING (auth.uid() = owner)', i);
	END LOOP; END $$`, `CREATE PUBLICATION p FOR ALL TABLES`)
	for b.Loop() {
		rowsCatalog(b, d)
	}
}

func TestACatalogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	settings := rowsSettings(t)
	settings.Port = 1
	_, err := rowsOpen(t, settings).Catalog(t.Context(), "p", nil)
	if !errors.Is(err, tutti.ErrUnavailable) {
		t.Error(err)
	}
}

func TestTypesAreDescribed(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, `CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN moods AS mood[]; CREATE DOMAIN tag AS text; CREATE DOMAIN tags AS tag[];
		CREATE TYPE pair AS (a int, b int)`)
	conn := rowsStranger(t, d)
	defer conn.Close(t.Context())
	for name, want := range map[string]struct{ name, base, delim string }{
		"int4": {"int4", "int4", "\x00"}, "int4[]": {"_int4", "int4", ","}, "box[]": {"_box", "box", ";"},
		"mood": {"mood", "mood", "\x00"}, "mood[]": {"_mood", "mood", ","}, "moods": {"moods", "mood", ","},
		"moods[]": {"_moods", "_mood", ","}, "tag": {"tag", "text", "\x00"}, "tags": {"tags", "text", ","}, "pair": {"pair", "pair", "\x00"},
		"int2vector": {"int2vector", "int2", " "}, "name": {"name", "name", "\x00"},
	} {
		var oid, base uint32
		if err := conn.QueryRow(t.Context(), `SELECT $1::text::regtype::oid, $2::text::regtype::oid`, name, want.base).Scan(&oid, &base); err != nil {
			t.Fatal(err)
		}
		columns := []tutti.Column{{TypeOID: oid}, {TypeOID: 1 << 30, Type: "unknown"}, {TypeOID: oid, Delim: 'x'}}
		if err := d.DescribeTypes(t.Context(), columns); err != nil {
			t.Fatal(err)
		}
		for _, c := range []tutti.Column{columns[0], columns[2]} {
			if c.Type != want.name || c.Base != base || c.Delim != want.delim[0] {
				t.Errorf("%s is %+v", name, c)
			}
		}
		if columns[1].Type != "unknown" || columns[1].Base != 0 {
			t.Errorf("an unknown type became %+v", columns[1])
		}
	}
}

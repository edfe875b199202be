package database

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// forExtensions returns the databases of extensions, until the test ends.
func forExtensions(t *testing.T) *Extensions {
	x := &Extensions{Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = x.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return x
}

func files(texts map[string]string) *tutti.Extension {
	all := fstest.MapFS{"notes.txt": {Data: []byte("no SQL")}}
	for name, text := range texts {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return &tutti.Extension{Key: "diary", Migrations: all}
}

const diary = `
CREATE TABLE public.diary (who uuid NOT NULL DEFAULT auth.uid(), line text);
ALTER TABLE public.diary ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON public.diary TO authenticated;
CREATE POLICY own ON public.diary FOR ALL TO authenticated USING (who = auth.uid()) WITH CHECK (who = auth.uid());`

func claims(who string) *tutti.Claims {
	return &tutti.Claims{Role: "authenticated", Subject: who, Raw: []byte(`{"role":"authenticated","sub":"` + who + `"}`)}
}

const (
	ann = "00000000-0000-4000-8000-000000000001"
	bob = "00000000-0000-4000-8000-000000000002"
)

func TestAnExtensionActsInTheRoleOfItsMembers(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	who := owner(t, dsn)
	x := forExtensions(t)
	if err := x.Prepare(t.Context(), who, files(map[string]string{"1.sql": diary})); err != nil {
		t.Fatal(err)
	}
	db := x.Of(func() *tutti.Tenant { return who })
	write := func(c *tutti.Claims, line string) error {
		return db.As(t.Context(), c, func(tx tutti.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO public.diary (line) VALUES ($1)", line)
			return err
		})
	}
	lines := func(do func(context.Context, func(tutti.Tx) error) error) (all []string) {
		err := do(t.Context(), func(tx tutti.Tx) error {
			return tx.Query(t.Context(), "SELECT line FROM public.diary ORDER BY line", func(scan func(...any) error) error {
				var line string
				err := scan(&line)
				all = append(all, line)
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	as := func(who string) func(context.Context, func(tutti.Tx) error) error {
		return func(ctx context.Context, f func(tutti.Tx) error) error { return db.As(ctx, claims(who), f) }
	}
	for _, err := range []error{write(claims(ann), "of ann"), write(claims(bob), "of bob")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := lines(as(ann)); !slices.Equal(got, []string{"of ann"}) {
		t.Errorf("ann sees %q", got)
	}
	if got := lines(db.Owner); !slices.Equal(got, []string{"of ann", "of bob"}) {
		t.Errorf("the owner sees %q", got)
	}
	mine := errors.New("mine")
	if err := db.As(t.Context(), claims(ann), func(tx tutti.Tx) error {
		if _, err := tx.Exec(t.Context(), "INSERT INTO public.diary (line) VALUES ('never')"); err != nil {
			return err
		}
		return mine
	}); !errors.Is(err, mine) {
		t.Errorf("error %v", err)
	}
	if got := lines(as(ann)); len(got) != 1 {
		t.Errorf("what was rolled back is there: %q", got)
	}
	for _, role := range []string{"", "none", "nobody"} {
		if err := write(&tutti.Claims{Role: role, Raw: []byte("{}")}, "x"); err == nil {
			t.Errorf("role %q may write", role)
		}
	}
}

func TestMigrationsOfAnExtensionRunOnce(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	who := owner(t, dsn)
	e := files(map[string]string{
		"2.sql": "INSERT INTO public.counted VALUES (2)",
		"1.sql": "CREATE TABLE public.counted (n int); INSERT INTO public.counted VALUES (1)",
	})
	var all sync.WaitGroup
	for range 3 { // nodes
		x := forExtensions(t)
		all.Go(func() {
			if err := x.Prepare(t.Context(), who, e); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := count(t, dsn, "SELECT count(*) FROM public.counted"); n != 2 {
		t.Errorf("%d rows", n)
	}
}

func TestAMigrationThatFailsIsSaidAndTakenBack(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	who := owner(t, dsn)
	x := forExtensions(t)
	err := x.Prepare(t.Context(), who, files(map[string]string{
		"1.sql": "CREATE TABLE public.first ()",
		"2.sql": "CREATE TABLE public.second (); SELECT 1 / 0",
	}))
	reason, ok := errors.AsType[*tutti.Error](err)
	if !ok || reason.Code != tutti.ExtensionNotPrepared {
		t.Fatalf("error %v", err)
	}
	if n := count(t, dsn, "SELECT count(to_regclass('public.first')) * 2 + count(to_regclass('public.second'))"); n != 2 {
		t.Errorf("what is there: %d", n)
	}
	if again := x.Prepare(t.Context(), who, files(nil)); again != err {
		t.Errorf("asked again at once it says %v", again)
	}
	if x.Of(func() *tutti.Tenant { return &tutti.Tenant{ExternalID: "none"} }) != nil {
		t.Error("a tenant without a database has one")
	}
}

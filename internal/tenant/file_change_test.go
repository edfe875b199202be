package tenant

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// secrets are the variables of the edited files.
func secrets(name string) string {
	return map[string]string{
		"ACME_SECRET": "s3cret", "SCHOOL_SECRET": "sch00l", "DB_PASSWORD": "pa55", "MUSIC_KEY": "do-re-mi",
	}[name]
}

// put sends fields to the tenant of a file, as the tenants API does.
func put(ctx context.Context, f *File, id, fields string) error {
	before, err := f.Find(ctx, id)
	if err != nil {
		before = nil
	}
	after, err := f.defaults.Revise(before, id, json.RawMessage(fields), noon)
	if err != nil {
		return err
	}
	created, err := f.Put(ctx, after)
	if err == nil && created != (before == nil) {
		return fmt.Errorf("created is %v", created)
	}
	return err
}

// sections splits a file of "-- name --" lines and what follows each; what stands
// before the first has no name.
func sections(text string) map[string]string {
	parts, name := map[string]string{}, ""
	for line := range strings.Lines(text) {
		if inner, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(line, " --\n") {
			name = strings.TrimSuffix(inner, " --\n")
			continue
		}
		parts[name] += line
	}
	return parts
}

func TestEdits(t *testing.T) {
	files, err := filepath.Glob("testdata/edits/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, golden := range files {
		t.Run(strings.TrimSuffix(filepath.Base(golden), ".txt"), func(t *testing.T) {
			t.Parallel()
			whole := string(read(t, golden))
			parts := sections(whole)
			path := filepath.Join(t.TempDir(), "tenants.yaml")
			write(t, path, parts["tenants.yaml"])
			f, err := OpenFile(path, secrets, StandardDefaults())
			if err != nil {
				t.Fatal(err)
			}
			refused := do(t, f, parts["do"])
			got := string(read(t, path))
			if *rewrite {
				asked, _, _ := strings.Cut(whole, "-- want.yaml --\n")
				asked += "-- want.yaml --\n" + got
				if refused != "" {
					asked += "-- refused --\n" + refused
				}
				write(t, golden, asked)
				return
			}
			if got != parts["want.yaml"] || refused != parts["refused"] {
				t.Errorf("got:\n%s\nrefused:\n%s", got, refused)
			}
		})
	}
}

// do carries out the lines "put ID FIELDS" and "delete ID", and returns what was
// refused.
func do(t *testing.T, f *File, lines string) (refused string) {
	for line := range strings.Lines(lines) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		id, fields, _ := strings.Cut(rest, " ")
		var err error
		if verb == "put" {
			err = put(t.Context(), f, id, fields)
		} else {
			_, err = f.Delete(t.Context(), id)
		}
		if err != nil {
			refused += fmt.Sprintf("%s %s: %v\n", verb, id, err)
		}
	}
	return refused
}

// A file is what its changes made of it, however it was written.
func TestWhatIsPutIsFound(t *testing.T) {
	dir := t.TempDir()
	for name, render := range map[string]func(any) string{
		"in block style": func(v any) string { return "# top" + block(v, "") + "\n# end\n" },
		"as JSON": func(v any) string {
			raw, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				panic(err)
			}
			return string(raw)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			rapid.Check(t, func(t *rapid.T) {
				model, list := map[string]*tutti.Tenant{}, []any{}
				for range rapid.IntRange(0, 3).Draw(t, "count") {
					if tenant := tenants(t); model[tenant.ExternalID] == nil {
						model[tenant.ExternalID] = tenant
						list = append(list, rendered(tenant))
					}
				}
				if err := os.WriteFile(path, []byte(render(map[string]any{"tenants": list})), 0o600); err != nil {
					t.Fatal(err)
				}
				f, err := OpenFile(path, variables{}.get, StandardDefaults())
				if err != nil {
					t.Fatal(err)
				}
				for range rapid.IntRange(1, 4).Draw(t, "changes") {
					tenant := tenants(t)
					if len(model) > 0 && rapid.Bool().Draw(t, "known") {
						tenant.ExternalID = rapid.SampledFrom(slices.Sorted(maps.Keys(model))).Draw(t, "which")
					}
					tenant.Name = cmp.Or(tenant.Name, tenant.ExternalID)
					if rapid.Bool().Draw(t, "delete") {
						existed, err := f.Delete(context.Background(), tenant.ExternalID)
						if err != nil || existed != (model[tenant.ExternalID] != nil) {
							t.Fatalf("deleted %v, %v\n%s", existed, err, f.current.Load().raw)
						}
						delete(model, tenant.ExternalID)
						continue
					}
					created, err := f.Put(context.Background(), tenant)
					if err != nil || created != (model[tenant.ExternalID] == nil) {
						t.Fatalf("created %v, %v\n%+v in\n%s", created, err, tenant, f.current.Load().raw)
					}
					if old := model[tenant.ExternalID]; old != nil && old.InsertedAt.IsZero() {
						tenant.InsertedAt, tenant.UpdatedAt = time.Time{}, time.Time{}
					}
					model[tenant.ExternalID] = tenant
				}
				again, err := OpenFile(path, variables{}.get, StandardDefaults())
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range []*File{f, again} {
					if len(f.All()) != len(model) {
						t.Fatalf("%d tenants, want %d", len(f.All()), len(model))
					}
					for id, want := range model {
						if got, _ := f.Find(context.Background(), id); !alike(got, want) {
							t.Fatalf("got  %+v\nwant %+v", got, want)
						}
					}
				}
			})
		})
	}
}

func limitsOf(events int) string {
	return fmt.Sprintf(`{"max_events_per_second": %d, "jwt_secret": "s", "extensions": []}`, events)
}

func TestChangesOfAFileHappenOneAfterTheOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write(t, path, yamlOf("a"))
	f := openFile(t, path)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := put(t.Context(), f, fmt.Sprint("t", i), limitsOf(i)); err != nil {
				t.Error(err)
			}
			if _, err := f.Delete(t.Context(), fmt.Sprint("t", i-i%2)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	again := openFile(t, path)
	if !slices.Equal(ids(f), ids(again)) {
		t.Errorf("in force are %v, in the file %v", ids(f), ids(again))
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAFileThatWasEditedByHandIsReadFirst(t *testing.T) {
	follow(t, func(t *testing.T, f *follower) {
		byHand := strings.Replace(yamlOf("a", "b", "c"), "jwt_secret", "max_joins_per_second: 7\n    jwt_secret", 1)
		write(t, f.path, byHand)
		if err := put(t.Context(), f.File, "a", `{"max_events_per_second": 9}`); err != nil {
			t.Fatal(err)
		}
		a, err := f.Find(t.Context(), "a")
		if err != nil || a.MaxEventsPerSecond != 9 || a.MaxJoinsPerSecond != 7 {
			t.Errorf("got %+v, %v: want both changes", a, err)
		}
		if got := ids(f.File); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("tenants %v", got)
		}
		pass(3)
		if want := [][]string{{"a", "c"}}; !slices.EqualFunc(f.announced, want, slices.Equal) {
			t.Errorf("announced %v, want %v", f.announced, want)
		}
		if f.log.Len() > 0 {
			t.Errorf("logged %s", &f.log)
		}
	})
}

func TestAFileIsNotChangedWhileItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tenants.yaml")
		write(t, path, yamlOf("a"))
		f := openFile(t, path)
		write(t, path, yamlOf("b"))
		time.AfterFunc(settleTime/2, func() { write(t, path, yamlOf("a", "b")) })
		if err := put(t.Context(), f, "c", limitsOf(1)); err != nil {
			t.Fatal(err)
		}
		if got := ids(f); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("tenants %v", got)
		}
	})
}

func TestAFileThatNeverSettlesIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tenants.yaml")
		write(t, path, yamlOf("a"))
		f := openFile(t, path)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for i := 0; ctx.Err() == nil; i++ {
				write(t, path, yamlOf("a", fmt.Sprint("t", i)))
				time.Sleep(settleTime)
			}
		}()
		time.Sleep(settleTime / 2) // so that nobody reads while it is written
		var conflict *Conflict
		if err := put(ctx, f, "b", limitsOf(1)); !errors.As(err, &conflict) || !strings.Contains(conflict.Reason, "try again") {
			t.Errorf("got %v", err)
		}
		stop()
		if err := put(ctx, f, "b", limitsOf(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v for a caller that left", err)
		}
		<-ended
	})
}

func TestAFileKeepsItsModeAndItsPlace(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "tenants.yaml")
	write(t, real, yamlOf("a"))
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.yaml", link); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, link)
	if err := put(t.Context(), f, "b", limitsOf(1)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(real)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if to, err := os.Readlink(link); err != nil || to != "real.yaml" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if got := ids(openFile(t, real)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("tenants %v", got)
	}
}

func TestAFileRefusesChanges(t *testing.T) {
	const database = `"region": "r", "db_host": "h", "db_port": "1", "db_name": "n", "db_user": "u", "db_password": "p"`
	for name, tt := range map[string]struct {
		content string // "" is no file
		id      string
		fields  string
		want    string // in the error, with the faults as JSON
	}{
		"a secret that names a variable": {
			yamlOf("a"), "a", `{"jwt_secret": "env:PATH"}`, `{"jwt_secret":["must not begin with`,
		},
		"a key that names a variable": {
			yamlOf("a"), "a", `{"jwt_jwks": {"keys": [{"k": "env:PATH"}]}}`, `{"jwt_jwks":["must not begin with`,
		},
		"a setting that names a variable": {
			yamlOf("a"), "a", `{"extensions": [{"type": "x", "settings": {}}, {"type": "postgres", "settings": {` + database + `, "x": ["env:PATH"]}}]}`,
			`{"extensions":[{},{"settings":["x must not begin with`,
		},
		"an id that no host name can have": {
			yamlOf("a"), "A.b", limitsOf(1), `{"external_id":["must be the first label`,
		},
		"a file with faults": {
			"tenants: [", "a", limitsOf(1), "the tenants file has faults, mend them first: ",
		},
		"an alias for all": {
			"x-all: &all [{external_id: a, jwt_secret: s}]\ntenants: *all\n", "b", limitsOf(1), "edit it by hand",
		},
		"no file": {"", "a", limitsOf(1), "unavailable for now: read tenants file: "},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tenants.yaml")
			write(t, path, yamlOf("a"))
			f := openFile(t, path)
			if tt.content == "" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				write(t, path, tt.content)
			}
			err := put(t.Context(), f, tt.id, tt.fields)
			if err == nil {
				t.Fatal("it was done")
			}
			got := err.Error()
			if wrong := (Invalid)(nil); errors.As(err, &wrong) {
				raw, err := json.Marshal(wrong)
				if err != nil {
					t.Fatal(err)
				}
				got = string(raw)
			}
			if !strings.HasPrefix(got, tt.want) && !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %s", got)
			}
			if tt.content != "" && string(read(t, path)) != tt.content {
				t.Errorf("the file has become %s", read(t, path))
			}
		})
	}
}

func TestRefusalsOfTheFileSystemHaveACure(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EBUSY: "mount the folder", os.ErrPermission: "let the server write", syscall.EROFS: "let the server write",
	} {
		var conflict *Conflict
		if !errors.As(refused(err), &conflict) || !strings.Contains(conflict.Reason, want) {
			t.Errorf("%v: got %v", err, refused(err))
		}
	}
	if err := refused(os.ErrInvalid); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if err := replaceFile(filepath.Join(t.TempDir(), "none"), nil, nil); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write(t, path, "b")
	if err := replaceFile(path, []byte("a"), []byte("c")); !errors.Is(err, errMoved) || string(read(t, path)) != "b" {
		t.Errorf("got %v", err)
	}
}

func TestListsOfTenants(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write(t, path, yamlOf("c", "a", "b", "beta"))
	f := openFile(t, path)
	if err := put(t.Context(), f, "c", `{"suspend": true, "name": "Chez B"}`); err != nil {
		t.Fatal(err)
	}
	suspended := true
	for name, tt := range map[string]struct {
		query tutti.TenantQuery
		want  []string
		next  string
	}{
		"all":             {tutti.TenantQuery{}, []string{"a", "b", "beta", "c"}, ""},
		"the first page":  {tutti.TenantQuery{Limit: 2}, []string{"a", "b"}, "b"},
		"the second page": {tutti.TenantQuery{Limit: 2, After: "b"}, []string{"beta", "c"}, ""},
		"behind the last": {tutti.TenantQuery{After: "c"}, nil, ""},
		"a part of an id": {tutti.TenantQuery{Search: "B"}, []string{"b", "beta", "c"}, ""},
		"with a limit":    {tutti.TenantQuery{Search: "b", Limit: 2}, []string{"b", "beta"}, "beta"},
		"the suspended":   {tutti.TenantQuery{Suspended: &suspended}, []string{"c"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []Registry{f, Fixed(f.All())} {
				page, err := r.List(t.Context(), tt.query)
				var got []string
				for _, tenant := range page.Tenants {
					got = append(got, tenant.ExternalID)
				}
				if err != nil || !slices.Equal(got, tt.want) || page.Next != tt.next {
					t.Errorf("got %v, next %q, %v", got, page.Next, err)
				}
			}
		})
	}
}

func TestTheReadyMadeTenantIsNotChanged(t *testing.T) {
	fixed := Fixed{StandardDefaults().Tenant("a")}
	var conflict *Conflict
	if _, err := fixed.Put(t.Context(), fixed[0]); !errors.As(err, &conflict) {
		t.Errorf("put: %v", err)
	}
	if _, err := fixed.Delete(t.Context(), "a"); !errors.As(err, &conflict) {
		t.Errorf("delete: %v", err)
	}
	if existed, err := fixed.Delete(t.Context(), "b"); err != nil || existed {
		t.Errorf("delete of nobody: %v, %v", existed, err)
	}
}

func FuzzRewrite(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/edits/*.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			text := string(read(f, path))
			f.Add([]byte(cmp.Or(sections(text)["tenants.yaml"], text)))
		}
	}
	f.Add([]byte("tenants: \r\n  - ? external_id\r\n    : a\r\n    jwt_secret: b"))
	f.Add([]byte("--- {tenants: [&a {external_id: \"\\u0061\", jwt_secret: b,},]}\n...\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file := &File{path: "f", getenv: secrets, defaults: StandardDefaults()}
		if len(raw) > 4096 {
			return
		}
		doc, err := file.document(raw)
		if err != nil {
			return
		}
		fresh := file.defaults.Tenant("fresh")
		fresh.JWTSecret = "s"
		fresh.Extensions = []tutti.TenantExtension{{Type: "music", Settings: map[string]any{"rooms": 1.0}}}
		if doc.index("fresh") < 0 {
			if text, _, err := file.rewrite(doc, nil, fresh); err == nil && !bytes.Contains(text, []byte("fresh")) {
				t.Errorf("nobody is new in %q", text)
			}
		}
		for _, before := range doc.tenants {
			after := *before
			after.MaxJoinsPerSecond++
			after.JWTSecret = "another"
			after.Extensions = append(slices.Clone(fresh.Extensions), before.Extensions[min(1, len(before.Extensions)):]...)
			_, _, _ = file.rewrite(doc, before, &after) // it checks itself what it says
			_, _, _ = file.rewrite(doc, before, nil)
		}
	})
}

func BenchmarkPutAmongAThousandTenants(b *testing.B) {
	path := filepath.Join(b.TempDir(), "tenants.yaml")
	var all []string
	for i := range 1000 {
		all = append(all, fmt.Sprint("tenant-", i))
	}
	write(b, path, yamlOf(all...))
	f := openFile(b, path)
	for i := 0; b.Loop(); i++ {
		if err := put(b.Context(), f, "tenant-500", fmt.Sprintf(`{"max_events_per_second": %d}`, i)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLineEndsStayAsTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write(t, path, "tenants:\r\n  - external_id: a\r\n    jwt_secret: s # é\r\n    suspend: true") // and no end of the last line
	f := openFile(t, path)
	if err := put(t.Context(), f, "a", `{"jwt_secret": "t", "suspend": false, "private_only": true}`); err != nil {
		t.Fatal(err)
	}
	want := "tenants:\r\n  - external_id: a\r\n    jwt_secret: t # é\r\n    suspend: false\r\n    private_only: true\r\n"
	if got := string(read(t, path)); got != want {
		t.Errorf("got %q", got)
	}
}

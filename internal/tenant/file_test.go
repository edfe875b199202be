package tenant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
)

// yamlOf is a tenants file with the given tenants, each "id" or "id:secret".
func yamlOf(tenants ...string) string {
	var b strings.Builder
	b.WriteString("tenants:\n")
	for _, t := range tenants {
		id, secret, _ := strings.Cut(t, ":")
		fmt.Fprintf(&b, "  - external_id: %s\n    jwt_secret: s%s\n", id, secret)
	}
	return b.String()
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func openFile(t testing.TB, path string) *File {
	t.Helper()
	f, err := OpenFile(path, variables{}.get, StandardDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func ids(f *File) []string {
	var ids []string
	for _, t := range f.All() {
		ids = append(ids, t.ExternalID)
	}
	return ids
}

func TestFileFindsItsTenants(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	write(t, path, yamlOf("b", "c", "a"))
	f := openFile(t, path)
	if got := ids(f); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("all are %v, want them sorted", got)
	}
	if got, err := f.Find(t.Context(), "b"); err != nil || got.ExternalID != "b" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := f.Find(t.Context(), "d"); !errors.Is(err, tutti.ErrNoTenant) {
		t.Errorf("got %v, want tutti.ErrNoTenant", err)
	}
}

func TestOpenFileRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenFile(filepath.Join(dir, "none.yaml"), os.Getenv, Defaults{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	path := filepath.Join(dir, "bad.yaml")
	write(t, path, yamlOf("a", "a"))
	_, err := OpenFile(path, os.Getenv, Defaults{})
	var fault *Fault
	if !errors.As(err, &fault) || fault.Line != 4 || fault.Field != "tenants[1].external_id" {
		t.Errorf("a file with a fault: %v", err)
	}
}

// A follower is a running File, the ids it announced and the log it wrote.
type follower struct {
	*File
	path      string
	announced [][]string
	log       bytes.Buffer
}

// follow runs a test with a File of the tenants "a" and "b".
func follow(t *testing.T, test func(t *testing.T, f *follower)) {
	synctest.Test(t, func(t *testing.T) {
		f := &follower{path: filepath.Join(t.TempDir(), "tenants.yaml")}
		write(t, f.path, yamlOf("a", "b"))
		f.File = openFile(t, f.path)
		f.Log = slog.New(slog.NewTextHandler(&f.log, nil))
		ctx, stop := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		ended := make(chan error, 1)
		go func() {
			ended <- f.Run(ctx, func(ids []string) { f.announced = append(f.announced, ids) })
		}()
		test(t, f)
		stop(stopped)
		if err := <-ended; !errors.Is(err, stopped) {
			t.Errorf("ended with %v", err)
		}
	})
}

// pass lets a number of looks at the file pass.
func pass(looks int) {
	time.Sleep(time.Duration(looks) * pollEvery)
	synctest.Wait()
}

func TestFileFollows(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(t *testing.T, f *follower)
		want []string // ids that are announced
		all  []string // ids at the end
	}{
		"a tenant that is added": {
			func(t *testing.T, f *follower) { write(t, f.path, yamlOf("a", "b", "c")) },
			[]string{"c"}, []string{"a", "b", "c"},
		},
		"a tenant that is changed": {
			func(t *testing.T, f *follower) { write(t, f.path, yamlOf("a", "b:new")) },
			[]string{"b"}, []string{"a", "b"},
		},
		"all at once": {
			func(t *testing.T, f *follower) { write(t, f.path, yamlOf("c", "b:new")) },
			[]string{"a", "b", "c"}, []string{"b", "c"},
		},
		"no more tenants": {
			func(t *testing.T, f *follower) { write(t, f.path, "tenants: []\n") },
			[]string{"a", "b"}, nil,
		},
		"comments and order, which change no tenant": {
			func(t *testing.T, f *follower) { write(t, f.path, "# hello\n"+yamlOf("b", "a")) },
			nil, []string{"a", "b"},
		},
		"a file renamed over it": {
			func(t *testing.T, f *follower) {
				write(t, f.path+".new", yamlOf("a"))
				if err := os.Rename(f.path+".new", f.path); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"b"}, []string{"a"},
		},
		"a symlink put in its place": {
			func(t *testing.T, f *follower) {
				write(t, f.path+".1", yamlOf("a"))
				if err := os.Symlink(f.path+".1", f.path+".link"); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(f.path+".link", f.path); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"b"}, []string{"a"},
		},
		"a file that went and came back": {
			func(t *testing.T, f *follower) {
				if err := os.Remove(f.path); err != nil {
					t.Fatal(err)
				}
				pass(3)
				write(t, f.path, yamlOf("a"))
			},
			[]string{"b"}, []string{"a"},
		},
		"a fault that is mended": {
			func(t *testing.T, f *follower) {
				write(t, f.path, yamlOf("a", "a"))
				pass(3)
				write(t, f.path, yamlOf("b"))
			},
			[]string{"a"}, []string{"b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, func(t *testing.T, f *follower) {
				tt.edit(t, f)
				pass(2)
				var want [][]string
				if tt.want != nil {
					want = [][]string{tt.want}
				}
				if got := f.announced; !slices.EqualFunc(got, want, slices.Equal) {
					t.Errorf("announced %v, want %v", got, want)
				}
				if got := ids(f.File); !slices.Equal(got, tt.all) {
					t.Errorf("tenants %v, want %v", got, tt.all)
				}
			})
		})
	}
}

func TestFileDoesNotTakeAHalfWrittenFile(t *testing.T) {
	follow(t, func(t *testing.T, f *follower) {
		pass(1)
		write(t, f.path, yamlOf("a"))
		pass(1)
		write(t, f.path, yamlOf("a", "b", "c"))
		pass(2)
		if want := [][]string{{"c"}}; !slices.EqualFunc(f.announced, want, slices.Equal) {
			t.Errorf("announced %v, want %v", f.announced, want)
		}
	})
}

func TestFileWithFaultsIsReportedOnceAndNotTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  []string // in the log
	}{
		"each fault by itself": {
			func(t *testing.T, path string) { write(t, path, yamlOf("a", "a", "X")) },
			[]string{"tenants.yaml:4:5: tenants[1].external_id:", "tenants.yaml:6:5: tenants[2].external_id:"},
		},
		"no YAML":   {func(t *testing.T, path string) { write(t, path, "tenants: [") }, []string{"not valid YAML"}},
		"no file":   {func(t *testing.T, path string) { os.Remove(path) }, []string{"no such file"}},
		"no tenant": {func(t *testing.T, path string) { write(t, path, "") }, []string{"tenants: is required"}},
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, func(t *testing.T, f *follower) {
				tt.spoil(t, f.path)
				pass(5)
				lines := strings.Split(strings.TrimSpace(f.log.String()), "\n")
				if len(lines) != len(tt.want) {
					t.Fatalf("logged %q", lines)
				}
				for i, want := range tt.want {
					if !strings.Contains(lines[i], want) {
						t.Errorf("logged %s, want %s", lines[i], want)
					}
				}
				if got := ids(f.File); !slices.Equal(got, []string{"a", "b"}) || f.announced != nil {
					t.Errorf("tenants %v, announced %v", got, f.announced)
				}
			})
		})
	}
}

func TestFixedFindsItsTenants(t *testing.T) {
	fixed := Fixed{StandardDefaults().Tenant("a"), StandardDefaults().Tenant("b")}
	if got, err := fixed.Find(t.Context(), "b"); err != nil || got != fixed[1] {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := fixed.Find(t.Context(), "c"); !errors.Is(err, tutti.ErrNoTenant) {
		t.Errorf("got %v, want tutti.ErrNoTenant", err)
	}
}

func BenchmarkLookAtAThousandTenants(b *testing.B) {
	var all []string
	for i := range 1000 {
		all = append(all, fmt.Sprint("tenant-", i))
	}
	path := filepath.Join(b.TempDir(), "tenants.yaml")
	write(b, path, yamlOf(all...))
	f := openFile(b, path)
	last := look{raw: f.current.Load().raw, settled: true}
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			last = f.poll(b.Context(), last, nil)
		}
	})
	b.Run("read anew", func(b *testing.B) {
		for b.Loop() {
			if _, err := f.load(last.raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

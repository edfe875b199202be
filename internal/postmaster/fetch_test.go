//go:build unix

package postmaster

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// archive returns programs as the repository has them: a compressed tar in a zip.
func archive(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	installation(t, filepath.Join(dir, "bin"), "17.5")
	tar, err := exec.Command("tar", "-cJf", "-", "-C", dir, "bin").Output()
	if err != nil {
		t.Skipf("no tar with xz: %v", err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("postgres.txz")
	if err == nil {
		_, err = w.Write(tar)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return jar.Bytes()
}

func TestFetch(t *testing.T) {
	t.Parallel()
	jar := archive(t)
	sum := fmt.Sprintf("%x", sha256.Sum256(jar))
	for name, tt := range map[string]struct {
		major int
		jar   []byte
		err   string
	}{
		"any version":                      {jar: jar},
		"a wanted version":                 {major: 15, jar: jar},
		"a version that cannot be fetched": {major: 9, err: "PostgreSQL 9 cannot be fetched"},
		"what came is not what was sent":   {jar: append([]byte("x"), jar...), err: "checksums do not match"},
		"the repository does not have it":  {err: "no version found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case tt.jar == nil:
					http.NotFound(w, r)
				case strings.HasSuffix(r.URL.Path, ".sha256"):
					fmt.Fprint(w, sum)
				default:
					w.Write(tt.jar)
				}
			}))
			defer http.DefaultClient.CloseIdleConnections()
			defer repository.Close()
			dir := filepath.Join(t.TempDir(), binariesName)
			bin, err := fetcher{repository.URL}.fetch(t.Context(), dir, tt.major)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error is %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			p, err := fitting(t.Context(), []string{bin}, 0)
			if err != nil || p.bin != bin {
				t.Errorf("got %v (%v), want programs in %s", p, err, bin)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
				t.Errorf("more than the programs is left: %v", left)
			}
		})
	}
}

//go:build unix

package postmaster

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// installation makes a folder with programs that only know their version.
func installation(t *testing.T, bin, version string) string {
	t.Helper()
	for _, name := range []string{"postgres", "initdb"} {
		write(t, filepath.Join(bin, name), "#!/bin/sh\necho 'postgres (PostgreSQL) "+version+"'\n")
	}
	return bin
}

func TestCandidates(t *testing.T) {
	dir := t.TempDir()
	inPath := installation(t, filepath.Join(dir, "path"), "16.1")
	configured := filepath.Join(dir, "configured")
	write(t, filepath.Join(inPath, "pg_config"), "#!/bin/sh\necho "+configured+"\n")
	t.Setenv("PATH", inPath)
	want := []string{inPath, configured}
	for _, version := range []string{"18", "15", "9"} {
		want = append(want, installation(t, filepath.Join(dir, "usr", version, "bin"), version))
	}
	got := candidates(context.Background(), []string{filepath.Join(dir, "usr", "*", "bin")})
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestFitting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := installation(t, filepath.Join(dir, "a"), "13.2")
	good := installation(t, filepath.Join(dir, "b"), "17.1 (Debian 17.1-1)")
	other := installation(t, filepath.Join(dir, "c"), "15.3")
	for name, tt := range map[string]struct {
		bins []string
		want int
		bin  string
		err  string
	}{
		"the first that is new enough":      {bins: []string{old, good, other}, bin: good},
		"the first that fits the data":      {bins: []string{old, good, other}, want: 15, bin: other},
		"a folder without programs is none": {bins: []string{dir, good}, bin: good},
		"none that fits the data":           {bins: []string{good}, want: 16, err: "the data is of PostgreSQL 16"},
		"none that is new enough":           {bins: []string{old}, err: "is version 13"},
		"none at all":                       {err: "from version 14 on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := fitting(t.Context(), tt.bins, tt.want)
			if tt.err != "" {
				failsWith(t, PostgresVersion, err)
				if !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error is %q, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil || got.bin != tt.bin {
				t.Errorf("got %v (%v), want %s", got, err, tt.bin)
			}
		})
	}
}

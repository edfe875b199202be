package postmaster

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// preferred is the version that is fetched when any will do: Supabase's.
const preferred = 17

// fetchable are the versions that can be fetched, by their major number.
var fetchable = map[int]embedded.PostgresVersion{
	14: embedded.V14, 15: embedded.V15, 16: embedded.V16, 17: embedded.V17, 18: embedded.V18,
}

// A fetcher downloads programs. The zero value does so from the library's own
// repository.
type fetcher struct {
	repository string // address of another one
}

// fetch puts the programs of a major version (0: any) into a folder of their own
// inside dir and returns where they are. It needs the network. They appear under
// their name only when they are whole; the library compares their published sum.
func (f fetcher) fetch(ctx context.Context, dir string, major int) (bin string, err error) {
	major = cmp.Or(major, preferred)
	version, ok := fetchable[major]
	if !ok {
		return "", fmt.Errorf("PostgreSQL %d cannot be fetched", major)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	scratch := filepath.Join(dir, "new")
	if err := os.RemoveAll(scratch); err != nil { // what a cancelled fetch left
		return "", err
	}
	// The library cannot only fetch. It is asked for a cluster with a locale that
	// nobody has, so that it gives up after the programs are there and before
	// anything runs; what counts is whether they are.
	c := embedded.DefaultConfig().Version(version).Port(uint32(port)).Locale("none").Logger(io.Discard).
		CachePath(filepath.Join(scratch, "download")).
		BinariesPath(filepath.Join(scratch, "programs")).
		RuntimePath(filepath.Join(scratch, "runtime"))
	if f.repository != "" {
		c = c.BinaryRepositoryURL(f.repository)
	}
	done := make(chan error, 1)
	// The library takes no context. A fetch that nobody waits for any more ends by
	// itself, or with the process.
	go func() { done <- embedded.NewDatabase(c).Start() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer os.RemoveAll(scratch) // what stays is only disk space
	into := filepath.Join(dir, strconv.Itoa(major))
	if !executable(filepath.Join(scratch, "programs", "bin", "postgres")) {
		return "", fmt.Errorf("fetch PostgreSQL %s: %w", version, err)
	}
	return filepath.Join(into, "bin"), os.Rename(filepath.Join(scratch, "programs"), into)
}

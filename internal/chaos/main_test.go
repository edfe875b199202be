//go:build linux

package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti/internal/postmaster"
)

// What TestMain hands to the tests, as variables of the environment.
const (
	programsVariable = "TUTTI_CHAOS_PROGRAMS" // folder of the programs; when it is given they are not built
	templateVariable = "TUTTI_CHAOS_TEMPLATE" // address of the database that those of the tests are copies of; "" without PostgreSQL
)

// long reports whether there is time for long faults.
func long() bool { return os.Getenv("TUTTI_CHAOS") == "long" }

// either returns one of two times.
func either(short, longer time.Duration) time.Duration {
	if long() {
		return longer
	}
	return short
}

// atOnce is how many clusters there are at once at least: tests wait most of the
// time, also on a machine of two cores.
const atOnce = 3

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("chaos: not with -short")
		return
	}
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		_ = flag.Set("test.parallel", strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0))))
	}
	goleak.VerifyTestMain(tests(m.Run))
}

// folders are the names of those that the programs are in, by process.
const folders = "tutti-chaos-%s-"

// sweep removes the folders of runs that were killed. Of these nothing else stays
// behind: networks have no names, and processes die with us.
func sweep() {
	all, _ := filepath.Glob(filepath.Join(os.TempDir(), fmt.Sprintf(folders, "*")+"*"))
	for _, dir := range all {
		pid := strings.Split(filepath.Base(dir), "-")[2]
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, fs.ErrNotExist) {
			_ = os.RemoveAll(dir)
		}
	}
}

// startPostgreSQL starts one, unless TUTTI_CHAOS_POSTGRESQL=none.
func startPostgreSQL(ctx context.Context) (*postmaster.Server, error) {
	if os.Getenv("TUTTI_CHAOS_POSTGRESQL") == "none" {
		return nil, errors.New("TUTTI_CHAOS_POSTGRESQL=none")
	}
	return postmaster.Start(ctx, postmaster.Config{})
}

// tests are run with the programs built and a PostgreSQL running.
type tests func() int

// Run returns the exit code.
func (run tests) Run() int {
	code, err := run.serve(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	return code
}

func (run tests) serve(ctx context.Context) (code int, err error) {
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf(folders, strconv.Itoa(os.Getpid())))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	starting, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if os.Getenv(programsVariable) == "" {
		if err := buildAll(starting, dir); err != nil {
			return 0, err
		}
		if err := os.Setenv(programsVariable, dir); err != nil {
			return 0, err
		}
	}
	server, err := startPostgreSQL(starting)
	if err != nil {
		fmt.Println("chaos: no PostgreSQL, so rows are left out:", err)
		return run(), nil
	}
	defer func() { err = errors.Join(err, server.Stop(ctx)) }()
	template, err := prepare(starting, server)
	if err != nil {
		return 0, err
	}
	if err := os.Setenv(templateVariable, template); err != nil {
		return 0, err
	}
	return run(), nil
}

package postmaster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The oldest PostgreSQL that the server works with.
const oldest = 14

// programs are the initdb and postgres of one installation.
type programs struct {
	bin     string // their folder
	version string // as postgres says it
	major   int
}

func (p programs) postgres() string { return filepath.Join(p.bin, "postgres") }
func (p programs) initdb() string   { return filepath.Join(p.bin, "initdb") }

// places are the patterns of folders in which packagers put the programs.
var places = []string{
	"/usr/lib/postgresql/*/bin",         // Debian
	"/usr/pgsql-*/bin",                  // Red Hat
	"/usr/libexec/postgresql*",          // Alpine
	"/opt/homebrew/opt/postgresql*/bin", // macOS
	"/usr/local/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// findPrograms returns the first programs that fit the data in the folder: the
// configured ones, else those in PATH, those that pg_config names, those where
// packagers put them, those fetched earlier, and last those fetched now.
func findPrograms(ctx context.Context, c Config, f folder) (programs, error) {
	want, err := f.major()
	if err != nil {
		return programs{}, err
	}
	if c.Bin != "" {
		return fitting(ctx, []string{c.Bin}, want)
	}
	found, missing := fitting(ctx, candidates(ctx, append(slices.Clone(places), f.path(binariesName, "*", "bin"))), want)
	if missing == nil {
		return found, nil
	}
	var why *Error
	if !errors.As(missing, &why) {
		return programs{}, missing
	}
	c.Log.InfoContext(ctx, "no fitting PostgreSQL on this machine, fetching one", "err", missing)
	bin, err := fetcher{}.fetch(ctx, f.path(binariesName), want)
	if err != nil {
		return programs{}, &Error{
			Code:  PostgresMissing,
			Cause: why.Cause + ", and none could be fetched",
			Cure:  "install PostgreSQL (Debian: apt-get install postgresql; macOS: brew install postgresql) or name the folder of its programs",
			Err:   err,
		}
	}
	return fitting(ctx, []string{bin}, want)
}

// candidates returns folders in which the programs may be, the best first.
func candidates(ctx context.Context, patterns []string) []string {
	var bins []string
	if path, err := exec.LookPath("postgres"); err == nil {
		// The programs find their libraries and templates relative to where they
		// really are.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			bins = append(bins, filepath.Dir(path))
		}
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		bins = append(bins, strings.TrimSpace(string(out)))
	}
	for _, pattern := range patterns {
		matches, _ := filepath.Glob(pattern) // fails on a bad pattern only
		slices.SortStableFunc(matches, func(a, b string) int {
			return cmp.Compare(pathVersion(b), pathVersion(a))
		})
		bins = append(bins, matches...)
	}
	return bins
}

var digits = regexp.MustCompile(`\d+`)

// number returns the first number in s, or 0.
func number(s string) int {
	n, _ := strconv.Atoi(digits.FindString(s))
	return n
}

// pathVersion returns the last number in the path of an installation, or 0. That
// is its version; numbers before it are in the names of folders around.
func pathVersion(path string) int {
	all := digits.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	return number(all[len(all)-1])
}

// fitting returns the first of the installations in bins that has both programs
// and the wanted major version; 0 wants any that we support.
func fitting(ctx context.Context, bins []string, want int) (programs, error) {
	var rejected []string
	for i, bin := range bins {
		p := programs{bin: bin}
		if slices.Contains(bins[:i], bin) || !executable(p.postgres()) || !executable(p.initdb()) {
			continue
		}
		out, err := exec.CommandContext(ctx, p.postgres(), "--version").Output()
		if err != nil {
			rejected = append(rejected, fmt.Sprintf("%s does not run (%v)", p.postgres(), err))
			continue
		}
		p.version = strings.TrimSpace(string(out))
		p.major = number(p.version)
		if p.major >= oldest && (want == 0 || want == p.major) {
			return p, nil
		}
		rejected = append(rejected, fmt.Sprintf("%s is version %d", bin, p.major))
	}
	if err := ctx.Err(); err != nil {
		return programs{}, err
	}
	cause := fmt.Sprintf("no PostgreSQL from version %d on was found", oldest)
	if want != 0 {
		cause = fmt.Sprintf("the data is of PostgreSQL %d, and no such version was found", want)
	}
	if len(rejected) > 0 {
		cause += " (" + strings.Join(rejected, ", ") + ")"
	}
	return programs{}, &Error{Code: PostgresVersion, Cause: cause, Cure: "install that version, or use another folder"}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// try runs postgres in dir as the account, so that missing rights are found
// before anything depends on them.
func (p programs) try(ctx context.Context, dir string, a *account) error {
	cmd := exec.CommandContext(ctx, p.postgres(), "--version")
	cmd.Dir = dir
	cmd.Env = environment()
	cmd.SysProcAttr = attributes(a)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e := &Error{Code: PostgresUser, Cause: fmt.Sprintf("cannot run %s in %s", p.postgres(), dir), Err: err}
		if a != nil {
			e.Cause = fmt.Sprintf("PostgreSQL refuses to run as root, and user %s cannot run %s in %s", a.name, p.postgres(), dir)
			e.Cure = "choose a folder that this user may enter, such as one in /var/lib, or do not run as root"
		}
		return e
	}
	return nil
}

// environment returns ours without what would change how PostgreSQL behaves.
func environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "PG") || strings.HasPrefix(v, "LC_") ||
			strings.HasPrefix(v, "LANG") || strings.HasPrefix(v, "TZ=") || strings.HasPrefix(v, "NOTIFY_SOCKET=")
	})
	return append(env, "LC_ALL=C", "TZ=UTC")
}

package tutti_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tutti-realtime/tutti"

// plan is the floor of every package: it may import packages of lower floors
// only. Folders that end in "/*" stand for all folders in them.
var plan = map[string]int{
	".":              0, // the words
	"internal/tally": 0, // what is counted of a tenant

	"internal/phoenix":                   1,
	"internal/auth":                      1,
	"internal/gate":                      1,
	"internal/limit":                     1,
	"internal/tenant":                    1,
	"internal/secret":                    1,
	"internal/postgres":                  1,
	"internal/postmaster":                1,
	"internal/postmaster/postmastertest": 2, // for the tests of other rooms
	"internal/wal":                       1,
	"internal/cluster":                   1,
	"internal/rls":                       1,
	"internal/explain":                   1,
	"internal/trace":                     1,
	"internal/websocket":                 1,
	"internal/systemd":                   1,
	"web":                                1,
	"tuttitest":                          1, // for the tests of extensions
	"extension/*":                        1, // and the root package is all of ours that they import

	"internal/hub":       2,
	"internal/presence":  2,
	"internal/changes":   2,
	"internal/broadcast": 2,
	"internal/database":  2,
	"internal/doctor":    2,
	"internal/load":      2,
	"internal/relay":     2,

	"internal/channel": 3,
	"internal/feed":    3,
	"internal/extend":  3,

	"internal/socket": 4,
	"internal/api":    4,
	"internal/admin":  4,

	"deploy":  6, // its tests run the server
	"bench/*": 5, // they measure rooms, and no room uses them

	"internal/account": 1, // what clients of broken clusters heard
	"internal/yard":    1, // networks and processes for those who break clusters

	"internal/app":   5,
	"internal/chaos": 5, // its tests break real processes

	"cmd/tutti": 6,
}

// elsewhere is folders without packages of the server.
var elsewhere = []string{"check", "e2e", "examples", "node_modules", "testdata", "vendor"}

// maxLines is the longest a file may be, tests excepted.
const maxLines = 400

// emptyNames say nothing of what is in a package.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "base", "types", "models", "manager"}

// A parsedPackage is a folder's Go files that are not tests.
type parsedPackage struct {
	folder string
	files  map[string]*ast.File // by path
	lines  map[string]int
}

// imports goes through what the files import, by file.
func (p *parsedPackage) imports(yield func(file, imported string) bool) {
	for name, f := range p.files {
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err == nil && !yield(name, imported) {
				return
			}
		}
	}
}

// packages parses the module, all platforms alike.
func packages(t *testing.T) map[string]*parsedPackage {
	t.Helper()
	found := map[string]*parsedPackage{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			hidden := name != "." && (d.Name()[0] == '.' || d.Name()[0] == '_')
			if hidden || slices.Contains(elsewhere, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(name))
		p := found[folder]
		if p == nil {
			p = &parsedPackage{folder: folder, files: map[string]*ast.File{}, lines: map[string]int{}}
			found[folder] = p
		}
		p.files[name], p.lines[name] = f, bytes.Count(text, []byte("\n"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// room returns the folder of one of our packages, and whether it is one.
func room(imported string) (folder string, ours bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// floor returns the floor of a folder.
func floor(folder string) (int, error) {
	if n, planned := plan[folder]; planned {
		return n, nil
	}
	for up := path.Dir(folder); up != "."; up = path.Dir(up) {
		if n, planned := plan[up+"/*"]; planned {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s is not on the plan: give it a floor in the map plan in layout_test.go, "+
		"above all that it imports and below all that imports it, and a line in ARCHITECTURE.md", folder)
}

func TestEveryPackageIsOnThePlan(t *testing.T) {
	t.Parallel()
	for folder := range packages(t) {
		if _, err := floor(folder); err != nil {
			t.Error(err)
		}
	}
}

func TestImportsGoToALowerFloor(t *testing.T) {
	t.Parallel()
	for folder, p := range packages(t) {
		for file, imported := range p.imports {
			if fault := misdirected(folder, imported); fault != "" {
				t.Errorf("%s: %s", file, fault)
			}
		}
	}
}

// misdirected says what is wrong with an import, "" when nothing is.
func misdirected(from, imported string) string {
	to, ours := room(imported)
	if !ours {
		return ""
	}
	above, err := floor(from)
	below, belowErr := floor(to)
	switch {
	case err != nil || belowErr != nil:
		return "" // TestEveryPackageIsOnThePlan says so
	case strings.HasPrefix(from, "extension/") && to != ".":
		return fmt.Sprintf("an extension imports the root package and nothing else of ours, not %s", to)
	case below >= above:
		return fmt.Sprintf("%s (floor %d) must not import %s (floor %d): imports go to a lower floor; "+
			"let it declare the interface that it needs, and let internal/app pass in what has it", from, above, to, below)
	}
	return ""
}

func TestTheRootImportsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	for file, imported := range packages(t)["."].imports {
		if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
			t.Errorf("%s imports %s", file, imported)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for folder, p := range packages(t) {
		said := false // more than once where each platform has its own file
		for name, f := range p.files {
			if f.Doc != nil {
				said = true
				begins := "Package " + f.Name.Name + " "
				if f.Name.Name == "main" {
					begins = "Command " + path.Base(folder) + " "
				}
				if !strings.HasPrefix(f.Doc.Text(), begins) {
					t.Errorf("%s: the package's comment must begin with %q", name, begins)
				}
			}
		}
		if !said {
			t.Errorf("%s has no package comment: say what it knows, who calls it, what it owns", folder)
		}
	}
}

func TestPackageNamesSaySomething(t *testing.T) {
	t.Parallel()
	for folder, p := range packages(t) {
		for _, f := range p.files {
			if slices.Contains(emptyNames, f.Name.Name) || slices.Contains(emptyNames, path.Base(folder)) {
				t.Errorf("%s: the name %s could stand on anything", folder, f.Name.Name)
			}
		}
	}
}

func TestFilesCanBeReadInOneSitting(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for name, n := range p.lines {
			if n > maxLines {
				t.Errorf("%s has %d lines, more than %d: it has more than one subject", name, n, maxLines)
			}
		}
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for name, f := range p.files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s has a func init: let internal/app or the caller do it in sight", name)
				}
			}
		}
	}
}

// The rules themselves are tested with imports that nobody has written yet.
func TestThePlanRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from, imported string
		refused        bool
	}{
		"a room on a lower floor is imported":    {from: "internal/channel", imported: module + "/internal/hub"},
		"the words are imported by all":          {from: "internal/auth", imported: module},
		"the standard library is none of ours":   {from: "internal/auth", imported: "net/http"},
		"a module of a similar name is not ours": {from: "internal/auth", imported: module + "-other/internal/app"},
		"a room on the same floor":               {from: "internal/hub", imported: module + "/internal/presence", refused: true},
		"a room on a higher floor":               {from: "internal/auth", imported: module + "/internal/socket", refused: true},
		"the words know no room":                 {from: ".", imported: module + "/internal/auth", refused: true},
		"an extension knows the words":           {from: "extension/music", imported: module},
		"an extension knows no room":             {from: "extension/music", imported: module + "/internal/auth", refused: true},
		"the command knows extensions":           {from: "cmd/tutti", imported: module + "/extension/music"},
		"a benchmark knows the rooms":            {from: "bench/fanout", imported: module + "/internal/socket"},
		"a benchmark does not know the whole":    {from: "bench/fanout", imported: module + "/internal/app", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if fault := misdirected(tt.from, tt.imported); (fault != "") != tt.refused {
				t.Errorf("%s imports %s: %q", tt.from, tt.imported, fault)
			}
		})
	}
	if _, err := floor("internal/attic"); err == nil {
		t.Error("a room that nobody planned has a floor")
	}
}

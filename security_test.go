package tutti_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table of threats in docs/security.md names what shows that each is met. A
// name that is not that of a test shows nothing.
func TestThreatsNameTheirTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## Threats\n")
	if !found {
		t.Fatal("there is no table of threats")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	there := testNames(t)
	name, file := regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`), regexp.MustCompile(`^[a-z0-9]+/[a-z.]+$`)
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[4]) == "shown by" {
			continue
		}
		rows++
		for shown := range strings.SplitSeq(cells[4], ",") {
			shown = strings.TrimSpace(shown)
			_, err := os.Stat(shown)
			switch {
			case name.MatchString(shown) && !there[shown]:
				t.Errorf("there is no test %s, which is to show: %s", shown, strings.TrimSpace(cells[2]))
			case file.MatchString(shown) && err != nil:
				t.Errorf("%v, which is to show: %s", err, strings.TrimSpace(cells[2]))
			case !name.MatchString(shown) && !file.MatchString(shown):
				t.Errorf("%q is neither a test nor a file: %s", shown, line)
			}
		}
	}
	if rows < 40 {
		t.Errorf("only %d threats were found: is the table of another shape?", rows)
	}
}

// testNames returns the names of all tests and fuzz tests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	all := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range function.FindAllSubmatch(text, -1) {
			all[string(match[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestReferences compares what the documents say with the code. UPDATE_REFERENCES=1
// (`make references`) writes it.
func TestReferences(t *testing.T) {
	t.Parallel()
	var c cli
	parser, err := kong.New(&c, kong.Name("tutti"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range references {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("..", "..", "docs", file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			begin, end := "<!-- made by `tutti reference "+name+"` -->\n", "<!-- end -->\n"
			before, rest, found := strings.Cut(string(text), begin)
			old, after, ended := strings.Cut(rest, end)
			if !found || !ended {
				t.Fatalf("%s lacks the lines %q and %q", path, begin, end)
			}
			var b bytes.Buffer
			if err := writeReference(&b, name, parser.Model); err != nil {
				t.Fatal(err)
			}
			made := "\n" + strings.TrimSpace(b.String()) + "\n\n"
			if old == made {
				return
			}
			if os.Getenv("UPDATE_REFERENCES") == "" {
				t.Errorf("%s is not what the code says: make references", path)
			} else if err := os.WriteFile(path, []byte(before+begin+made+end+after), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
}

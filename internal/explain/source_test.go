package explain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A source is the server's own, without tests: where its codes come from.
type source struct {
	packages map[string][]*ast.File    // by folder
	consts   map[string]string         // strings that have a name, as package.Name
	codes    map[string]token.Position // what was found
	fset     *token.FileSet
}

func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{packages: map[string][]*ast.File{}, consts: map[string]string{}, codes: map[string]token.Position{}, fset: token.NewFileSet()}
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "examples" || d.Name() == "bench" || path == "internal/explain") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(s.fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.packages[filepath.Dir(path)] = append(s.packages[filepath.Dir(path)], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// looksLikeACode keeps SQLSTATEs, numbers and the like apart.
var looksLikeACode = regexp.MustCompile(`^([A-Z][a-z]+[A-Za-z]*[A-Z][A-Za-z]+|[a-z]+(_[a-z]+)+|muted|conflict)$`)

func (s *source) note(e ast.Expr, pkg string) {
	value, known := s.value(e, pkg)
	if known && looksLikeACode.MatchString(value) {
		s.codes[value] = s.fset.Position(e.Pos())
	}
}

func (s *source) value(e ast.Expr, pkg string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		value, err := strconv.Unquote(e.Value)
		return value, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		value, known := s.consts[pkg+"."+e.Name]
		return value, known
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			value, known := s.consts[x.Name+"."+e.Sel.Name]
			return value, known
		}
	}
	return "", false
}

// nameConstants notes all strings that have names. A group whose comment begins with
// "Codes of" is of codes.
func (s *source) nameConstants() {
	for _, files := range s.packages {
		for _, f := range files {
			for _, d := range f.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.CONST {
					continue
				}
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					for i, e := range v.Values {
						if value, known := s.value(e, f.Name.Name); known {
							s.consts[f.Name.Name+"."+v.Names[i].Name] = value
						}
						if strings.HasPrefix(g.Doc.Text(), "Codes of") {
							s.note(e, f.Name.Name)
						}
					}
				}
			}
		}
	}
}

// findUses finds what is said to be a code where it is used: a field Code, an
// attribute "code" of a line of the log, and refusals of the handshake.
func (s *source) findUses() {
	for _, files := range s.packages {
		for _, f := range files {
			pkg := f.Name.Name
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
						s.note(n.Value, pkg)
					}
				case *ast.CallExpr:
					for i := range len(n.Args) - 1 {
						if name, ok := s.value(n.Args[i], pkg); ok && (name == "code" || name == "error_code") {
							s.note(n.Args[i+1], pkg)
						}
					}
				case *ast.CompositeLit:
					if name, ok := n.Type.(*ast.Ident); ok && name.Name == "refusal" && len(n.Elts) == 3 {
						s.note(n.Elts[2], pkg)
					}
				}
				return true
			})
		}
	}
}

func TestEveryCodeOfTheServerIsExplained(t *testing.T) {
	t.Parallel()
	s := readSource(t)
	s.nameConstants()
	s.findUses()
	if len(s.codes) < 60 {
		t.Fatalf("only %d codes were found: the search is broken", len(s.codes))
	}
	for code, at := range s.codes {
		if e, known := Find(code); !known || e.Code != code {
			t.Errorf("%s: %s is not explained: add it to internal/explain", at, code)
		}
	}
	strs := map[string]bool{} // all strings of the source, for codes that stand alone
	for _, files := range s.packages {
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					value, _ := strconv.Unquote(lit.Value)
					strs[value] = true
				}
				return true
			})
		}
	}
	for _, e := range All() {
		if !strs[e.Code] {
			t.Errorf("%s is explained, and nothing says it", e.Code)
		}
	}
}

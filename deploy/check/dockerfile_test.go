package check

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func TestTheDockerfileIsOne(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("warning: %s", w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) { t.Errorf("%s: %s", rule, message) }})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		t.Errorf("the image stands on %s, not on nothing", last.BaseName)
	}
	said := map[string]string{}
	for _, c := range last.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			said["user"] = c.User
		case *instructions.StopSignalCommand:
			said["stop signal"] = c.Signal
		case *instructions.HealthCheckCommand:
			said["health"] = strings.Join(c.Health.Test, " ")
		case *instructions.EntrypointCommand:
			said["entrypoint"] = strings.Join(c.CmdLine, " ")
		case *instructions.CmdCommand:
			said["command"] = strings.Join(c.CmdLine, " ")
		case *instructions.ExposeCommand:
			said["port"] = strings.Join(c.Ports, " ")
		}
	}
	for what, want := range map[string]string{
		"user": "65532:65532", "stop signal": "SIGTERM", "health": "CMD /tutti health",
		"entrypoint": "/tutti", "command": "serve", "port": "4000",
	} {
		if said[what] != want {
			t.Errorf("%s is %q, want %q", what, said[what], want)
		}
	}
}

// What is copied from the sources must be there, and must not be ignored.
func TestWhatTheImageIsBuiltFromIsThere(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	rules := strings.Split(string(ignore), "\n")
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range stages {
		for _, c := range stage.Commands {
			c, ok := c.(*instructions.CopyCommand)
			if !ok || c.From != "" {
				continue
			}
			for _, source := range c.SourcePaths {
				if _, err := os.Stat(filepath.Join("../..", source)); err != nil {
					t.Errorf("COPY: %v", err)
				}
				top, _, _ := strings.Cut(filepath.ToSlash(filepath.Clean(source)), "/")
				if top != "." && !slices.Contains(rules, "!"+top) {
					t.Errorf("COPY %s: .dockerignore leaves it out", source)
				}
			}
		}
	}
}

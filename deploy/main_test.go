package deploy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long anything may take, on a busy machine.
const patience = 60 * time.Second

// binary builds the server as a release does, once, and returns where it is.
var binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "tutti-deploy-")
	if err != nil {
		return "", err
	}
	// Everybody may go in: some tests run it as nobody.
	if err := os.Chmod(folder, 0o755); err != nil {
		return "", err
	}
	out, err := exec.Command("../scripts/compile", filepath.Join(folder, "tutti")).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compile the server: %w\n%s", err, out)
	}
	return filepath.Join(folder, "tutti"), nil
})

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if built, err := binary(); err == nil {
			_ = os.RemoveAll(filepath.Dir(built))
		}
		os.Exit(code)
	}))
}

func build(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A node is a server that runs as a process.
type node struct {
	cmd  *exec.Cmd
	base string // its address
	log  *bytes.Buffer
}

var greeting = regexp.MustCompile(`is ready: (\S+)|URL +(http\S+)`)

// start runs cmd, which is a server, until the test ends, and returns when it has
// said where it is. It gets the variables and no others.
func start(t *testing.T, cmd *exec.Cmd, variables ...string) *node {
	t.Helper()
	n := &node{cmd: cmd, log: &bytes.Buffer{}}
	cmd.Env, cmd.Stderr = variables, n.log
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for n.base == "" && lines.Scan() {
		if found := greeting.FindStringSubmatch(lines.Text()); found != nil {
			n.base = found[1] + found[2]
		}
	}
	timer.Stop()
	if n.base == "" {
		t.Fatalf("it ended before it was ready: %v\n%s", cmd.Wait(), n.log)
	}
	t.Cleanup(func() { n.stop(t) })
	return n
}

// stop asks it to stop, and returns when it has. A second time it does nothing.
func (n *node) stop(t *testing.T) {
	t.Helper()
	if n.cmd.ProcessState != nil {
		return
	}
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if err := n.cmd.Wait(); err != nil {
		t.Errorf("it did not stop well: %v\n%s", err, n.log)
	}
}

// tool returns the path of a program of Debian's, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, folder := range []string{"", "/usr/sbin/", "/usr/bin/"} {
		if path, err := exec.LookPath(folder + name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed: make packaging does that", name)
	return ""
}

// run runs a program to its end, and returns what it said.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// must replaces something that must be there.
func must(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in the file any more", old)
	}
	return strings.ReplaceAll(text, old, replacement)
}

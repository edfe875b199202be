package deploy

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// unit writes the unit with the binary of this test in it.
func unit(t *testing.T) string {
	t.Helper()
	text := must(t, read(t, "systemd/tutti.service"), "/usr/local/bin/tutti", build(t))
	path := filepath.Join(t.TempDir(), "tutti.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSystemdFindsNothingWrongWithTheUnit(t *testing.T) {
	t.Parallel()
	analyze := tool(t, "systemd-analyze")
	out, err := run(t, analyze, "verify", "--recursive-errors=no", "--man=no", unit(t))
	if err != nil || strings.Contains(out, "tutti.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestTheUnitIsHardened(t *testing.T) {
	t.Parallel()
	analyze := tool(t, "systemd-analyze")
	const most = 20 // tenths of what is exposed, of 100; an unit without hardening has 96
	out, err := run(t, analyze, "security", "--no-pager", "--offline=true", "--threshold="+strconv.Itoa(most), unit(t))
	if err != nil {
		t.Errorf("more is exposed than %d: %v\n%s", most, err, out)
	}
	if found := regexp.MustCompile(`Overall exposure level.*`).FindString(out); found != "" {
		t.Log(found)
	}
}

func TestTheUnitHasTimeToStop(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`(?m)^TimeoutStopSec=(\S+)$`).FindStringSubmatch(read(t, "systemd/tutti.service"))
	if found == nil {
		t.Fatal("there is no TimeoutStopSec")
	}
	patience, err := time.ParseDuration(found[1])
	if err != nil {
		t.Fatal(err)
	}
	needs := 5 * time.Second
	variables := environment(read(t, "systemd/tutti.env"))
	for _, name := range []string{"DRAIN_DELAY_MS", "SHUTDOWN_GRACE_MS"} {
		n, err := strconv.Atoi(variables[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		needs += time.Duration(n) * time.Millisecond
	}
	if patience < needs {
		t.Errorf("it is killed after %v, and needs %v", patience, needs)
	}
}

// A server under systemd says what it does, from start to end, and makes no call
// that the unit forbids.
func TestAServerTellsSystemdWhatItDoes(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hears := func(want string) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Errorf("heard %q (%v), want %q", b[:n], err, want)
		}
	}
	n := start(t, exec.Command(build(t), "serve"), "PORT=0", "HOST=127.0.0.1",
		"NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000", "SHUTDOWN_GRACE_MS=1000", "DRAIN_SPREAD_MS=0")
	hears("STATUS=waits for its control database")
	hears("READY=1\nSTATUS=serves " + n.base)
	hears("WATCHDOG=1")
	hears("WATCHDOG=1")
	n.stop(t)
	for range 1000 { // some more may have been under way
		b := make([]byte, 4096)
		_ = c.SetReadDeadline(time.Now().Add(patience))
		k, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if said := string(b[:k]); said != "WATCHDOG=1" {
			if !strings.HasPrefix(said, "STOPPING=1\n") {
				t.Errorf("in the end it said %q", said)
			}
			return
		}
	}
}

func TestTheServerMakesNoCallThatTheUnitForbids(t *testing.T) {
	t.Parallel()
	strace, analyze := tool(t, "strace"), tool(t, "systemd-analyze")
	allowed := calls(t, analyze, "@system-service")
	for _, forbidden := range calls(t, analyze, "@privileged") {
		allowed = slices.DeleteFunc(allowed, func(s string) bool { return s == forbidden })
	}
	if len(allowed) < 100 {
		t.Fatalf("only %d calls are allowed", len(allowed))
	}
	trace := filepath.Join(t.TempDir(), "trace")
	// A node of a cluster, which does all that one alone does. With -D it is our
	// child, and the tracer is its.
	n := start(t, exec.Command(strace, "-D", "-f", "-qq", "-o", trace, build(t), "serve"),
		"PORT=0", "HOST=127.0.0.1", "CLUSTER_LISTEN=127.0.0.1:0", "NODE_NAME=one", "API_JWT_SECRET="+secret, "SHUTDOWN_GRACE_MS=1000", "DRAIN_SPREAD_MS=0")
	if out, err := run(t, build(t), "health", "--live", "--url", n.base); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	connect(t, "ws"+strings.TrimPrefix(n.base, "http"), nil)
	n.stop(t)
	called := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^\d+ +([a-z0-9_]+)\(`).FindAllStringSubmatch(read(t, trace), -1) {
		called[found[1]] = true
	}
	if !called["epoll_pwait"] && !called["epoll_wait"] {
		t.Fatalf("the trace shows no server: %v", called)
	}
	for call := range called {
		if !slices.Contains(allowed, call) {
			t.Errorf("it calls %s, which the unit forbids", call)
		}
	}
}

// calls returns the system calls of a set of systemd's, and of the sets in it.
func calls(t *testing.T, analyze, set string) (list []string) {
	t.Helper()
	out, err := run(t, analyze, "syscall-filter", "--no-pager", set)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch {
		case line == set || line == "" || line[0] == '#':
		case line[0] == '@':
			list = append(list, calls(t, analyze, line)...)
		default:
			list = append(list, line)
		}
	}
	return list
}

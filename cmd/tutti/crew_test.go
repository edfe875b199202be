package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/app"
)

// lines is a log that may be written by several nodes.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// actors starts a crew whose nodes are scripts of a shell.
func actors(t *testing.T, scripts ...string) (*crew, *lines) {
	t.Helper()
	log := &lines{}
	c := &crew{ended: make(chan *child, len(scripts))}
	t.Cleanup(func() { _ = c.stop(0) })
	for i, script := range scripts {
		if err := c.start(t.Context(), nodeName(i), exec.Command("/bin/sh", "-c", script), log); err != nil {
			t.Fatal(err)
		}
	}
	return c, log
}

// A part is what a node answers to those who ask how it is.
type part struct {
	unready int    // times that it is not ready yet
	reason  string // why not
	knows   int    // nodes of its cluster
	asked   atomic.Int32
}

// plays returns the start of a script that plays the part.
func (p *part) plays(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if int(p.asked.Add(1)) <= p.unready {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintf(w, `{"ready":false,"reason":%q}`, p.reason)
			return
		}
		_, _ = w.Write([]byte(`{"ready":true}`))
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		nodes := strings.TrimSuffix(strings.Repeat(`{"id":"x"},`, p.knows), ",")
		_, _ = fmt.Fprintf(w, `{"cluster":{"nodes":[%s]}}`, nodes)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return "echo Tutti v1 is ready: " + s.URL + "; "
}

const forever = "exec sleep 60"

func TestACrewIsReadyWhenEachSaysSo(t *testing.T) {
	t.Parallel()
	late := &part{unready: 3, reason: "draining", knows: 2}
	c, log := actors(t,
		"echo one; "+(&part{knows: 2}).plays(t)+"echo two >&2; "+forever,
		late.plays(t)+forever)
	if err := c.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := late.asked.Load(); n != 4 {
		t.Errorf("the second was asked %d times", n)
	}
	if err := c.stop(time.Minute); err == nil || !strings.Contains(err.Error(), "stop node-1: signal: terminated") {
		t.Errorf("a node that does not end well by SIGTERM: %v", err)
	}
	if got := log.String(); got != "node-1 | one\nnode-1 | two\n" {
		t.Errorf("the log is %q", got)
	}
}

func TestANodeThatDoesNotGetReady(t *testing.T) {
	t.Parallel()
	draining := &part{unready: 1 << 30, reason: "draining"}
	for name, tt := range map[string]struct{ script, want string }{
		"it ends before it greets": {"exit 3", "node-1 ended before it was ready (exit status 3); its log says why"},
		"it ends after it greeted": {draining.plays(t) + "exit 3", "node-1 ended before it was ready (exit status 3)"},
		"it says that it is not":   {draining.plays(t) + forever, "node-1 is not ready: draining"},
		"it is alone":              {(&part{knows: 1}).plays(t) + forever, "node-1 is not ready: it knows 1 nodes of 2"},
		"it says nothing":          {forever, "node-1 is not ready: it waits for its database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node, err := startChild("node-1", exec.Command("/bin/sh", "-c", tt.script), &lines{}, make(chan *child, 1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = node.cmd.Process.Kill()
				<-node.done
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err = node.greet(ctx); err == nil {
				err = node.meet(ctx, 2)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestACrewGoesOnUntilTheLastHasEnded(t *testing.T) {
	t.Parallel()
	c, _ := actors(t, (&part{}).plays(t)+forever, (&part{}).plays(t)+forever)
	ended := make(chan error, 1)
	go func() { ended <- c.watch(t.Context()) }()
	_ = c.all[0].cmd.Process.Kill()
	<-c.all[0].done
	if c.all[0].end() != "signal: killed" || !c.all[1].running() {
		t.Errorf("the first ended with %s, the second runs: %v", c.all[0].end(), c.all[1].running())
	}
	select {
	case err := <-ended:
		t.Errorf("it ends with the first: %v", err)
	default:
	}
	_ = c.all[1].cmd.Process.Kill()
	if err := <-ended; err == nil || err.Error() != "all nodes have ended" {
		t.Error(err)
	}
	if err := c.stop(time.Minute); err != nil {
		t.Errorf("nodes that had ended before are a fault of the stop: %v", err)
	}
}

func TestANodeThatDoesNotStopIsKilled(t *testing.T) {
	t.Parallel()
	c, _ := actors(t,
		"trap 'exit 0' TERM; "+(&part{}).plays(t)+"while :; do sleep 0.05; done",
		"trap '' TERM; "+(&part{}).plays(t)+"while :; do sleep 0.05; done")
	err := c.stop(time.Second)
	if err == nil || err.Error() != "stop node-2: signal: killed" {
		t.Error(err)
	}
}

func TestAProgramThatIsNone(t *testing.T) {
	t.Parallel()
	c := &crew{ended: make(chan *child, 1)}
	if err := c.start(t.Context(), "node-1", exec.Command("/nowhere/tutti"), &lines{}); err == nil || !strings.Contains(err.Error(), "start node-1") {
		t.Error(err)
	}
	if len(c.all) != 0 {
		t.Error("it is of the crew")
	}
}

func TestFlagsThatEachNodeGets(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"dev":                             "",
		"dev --nodes 3":                   "",
		"dev --nodes=3 --data=x --port=1": "",
		"dev --log-level debug --nodes 3 --host ::1":                       "--log-level debug --host ::1",
		"dev --data d --port 0 --portable-sockets --max-users=5 --nodes 2": "--portable-sockets --max-users=5",
	} {
		if got := strings.Join(passed(strings.Fields(given)), " "); got != want {
			t.Errorf("of %q each gets %q, want %q", given, got, want)
		}
	}
}

func TestWhatIsDifferentForEachNode(t *testing.T) {
	t.Parallel()
	doors := []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}
	config := app.Config{Port: 4000, DevTenant: "realtime-dev"}
	first, third := nodeEnvironment(config, 0, doors), nodeEnvironment(config, 2, doors)
	for _, want := range []string{
		"PORT=4000", "NODE_NAME=node-1", "SEED_SELF_HOST=true", "CLUSTER_LISTEN=127.0.0.1:1",
		"CLUSTER_PEERS=", "DEFAULT_TENANT=realtime-dev",
	} {
		if !slices.Contains(first, want) {
			t.Errorf("the first lacks %s: %q", want, first)
		}
	}
	for _, want := range []string{
		"PORT=4002", "NODE_NAME=node-3", "SEED_SELF_HOST=", "CLUSTER_LISTEN=127.0.0.1:3", "CLUSTER_PEERS=127.0.0.1:1,127.0.0.1:2",
	} {
		if !slices.Contains(third, want) {
			t.Errorf("the third lacks %s: %q", want, third)
		}
	}
	config.Port = 0
	if got := nodeEnvironment(config, 2, doors); !slices.Contains(got, "PORT=0") || !slices.Contains(got, "NODE_ADDRESS=") {
		t.Errorf("on any free port: %q", got)
	}
}

func TestFreeAddressesAreDifferent(t *testing.T) {
	t.Parallel()
	all, err := freeAddresses(mostNodes)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != mostNodes {
		t.Errorf("%d of %d are different", n, mostNodes)
	}
}

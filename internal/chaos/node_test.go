//go:build linux

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/yard"
)

// A node is one of the three, through all of its lives.
type node struct {
	at      place
	program string // today or tomorrow
	http    string // host:port for clients
	listen  string // host:port for other nodes
	env     []string
	yard    yard.Network
	dir     string
	client  *http.Client

	lives int
	life  *life // nil while it does not run
}

// A life is one process of a node.
type life struct {
	*yard.Process
	log string // file
}

// start starts the node's process. It does not wait for it to be ready.
func (n *node) start(t *testing.T) {
	t.Helper()
	n.lives++
	l := &life{log: filepath.Join(n.dir, fmt.Sprintf("%v-%d.log", n.at, n.lives))}
	log, err := os.Create(l.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(os.Getenv(programsVariable), n.program), "serve")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.dir}, n.env...)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := yard.Start(n.yard, n.at, cmd)
	if err != nil {
		t.Fatal(err)
	}
	l.Process = process
	n.life = l
}

// signal sends a signal to the node's process.
func (n *node) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(n.life.PID, s); err != nil {
		t.Fatalf("send %v to node %v: %v", s, n.at, err)
	}
}

// kill ends the process without a chance to do anything about it.
func (n *node) kill(t *testing.T) {
	t.Helper()
	_ = syscall.Kill(n.life.PID, syscall.SIGKILL) // it may have ended
	<-n.life.Done
	n.examine(t)
	n.life = nil
}

// await returns when the process has ended by itself, and fails when that was not
// with status 0.
func (n *node) await(t *testing.T, within time.Duration) {
	t.Helper()
	select {
	case <-n.life.Done:
	case <-time.After(within):
		t.Errorf("node %v still runs %v after it was told to stop:\n%s", n.at, within, n.stacks(t))
		n.kill(t)
		return
	}
	if n.life.Err != nil {
		t.Errorf("node %v ended badly: %v", n.at, n.life.Err)
	}
	n.examine(t)
	n.life = nil
}

// stacks has the process say what all its goroutines do, which ends it.
func (n *node) stacks(t *testing.T) string {
	t.Helper()
	before, _ := os.ReadFile(n.life.log)
	n.signal(t, syscall.SIGQUIT)
	select {
	case <-n.life.Done:
	case <-time.After(5 * time.Second):
	}
	text, _ := os.ReadFile(n.life.log)
	return string(text[min(len(before), len(text)):])
}

// end kills a node when the test is over.
func (n *node) end(t *testing.T) {
	if n.life == nil {
		return
	}
	_ = syscall.Kill(n.life.PID, syscall.SIGKILL)
	<-n.life.Done
	n.examine(t)
}

var (
	broken  = regexp.MustCompile(`(?m)^(panic: |fatal error: |.*DATA RACE).*`)
	panics  = regexp.MustCompile(`(?m)^.*"level":"ERROR".*(panic|stack).*`)
	trouble = regexp.MustCompile(`"level":"(WARN|ERROR)"`)
)

// examine looks for panics in the log of a life that has ended.
func (n *node) examine(t *testing.T) {
	text, err := os.ReadFile(n.life.log)
	if err != nil {
		t.Error(err)
		return
	}
	for _, pattern := range []*regexp.Regexp{broken, panics} {
		if found := pattern.FindIndex(text); found != nil {
			t.Errorf("node %v broke:\n%s", n.at, text[found[0]:min(len(text), found[0]+4000)])
		}
	}
}

// show prints the end of all logs, and all that was out of order.
func (n *node) show(t *testing.T) {
	const most = 40
	for i := range n.lives {
		text, err := os.ReadFile(filepath.Join(n.dir, fmt.Sprintf("%v-%d.log", n.at, i+1)))
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		from := max(0, len(lines)-most)
		var worth []string
		for j, line := range lines {
			if (j >= from || trouble.MatchString(line)) && !strings.Contains(line, "key") { // those of the greeting
				worth = append(worth, line)
			}
		}
		if len(worth) > 3*most {
			worth = slices.Concat(worth[:most], []string{"..."}, worth[len(worth)-2*most:])
		}
		t.Logf("log of node %v, life %d:\n%s", n.at, i+1, strings.Join(worth, "\n"))
	}
}

// A status is what a node says of itself, as far as we need it.
type status struct {
	Node    string
	Ready   bool
	Cluster struct {
		Name  string
		Nodes []struct {
			ID     string
			Self   bool
			Silent float64 `json:"silent_ms"`
		}
	}
}

// hears returns the names of the nodes that a node hears, itself among them.
func (s *status) hears() (names []string) {
	for _, n := range s.Cluster.Nodes {
		names = append(names, n.ID)
	}
	slices.Sort(names)
	return names
}

func (n *node) status(ctx context.Context) (*status, error) {
	var s status
	code, body, err := n.request(ctx, "GET", "/status", "", nil)
	if err != nil {
		return nil, err
	}
	if code != http.StatusOK {
		return nil, fmt.Errorf("status of node %v: %d", n.at, code)
	}
	return &s, json.Unmarshal(body, &s)
}

// greeted reports whether the node said that it serves, which it does when the
// control database is prepared.
func (n *node) greeted() bool {
	text, _ := os.ReadFile(n.life.log)
	return bytes.Contains(text, []byte(" is ready"))
}

// ready reports whether the node is ready, and why not.
func (n *node) ready(ctx context.Context) (bool, string) {
	code, body, err := n.request(ctx, "GET", "/health/ready", "", nil)
	if err != nil {
		return false, err.Error()
	}
	return code == http.StatusOK, string(body)
}

// request asks the node over HTTP, two seconds at most.
func (n *node) request(ctx context.Context, method, path, token string, payload any) (code int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var content io.Reader
	if payload != nil {
		text, err := json.Marshal(payload)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+n.http+path, content)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Accept", "application/json")
	if payload != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := n.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, errors.Join(err, answer.Body.Close())
}

// processor returns the processor time that the node's process has used.
func (n *node) processor(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.life.PID))
	if err != nil {
		t.Fatal(err)
	}
	// The second field is a name in brackets. See proc_pid_stat(5); a tick is 10 ms.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	var user, system int
	if _, err := fmt.Sscan(string(fields[11])+" "+string(fields[12]), &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

//go:build linux

package main

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
	"syscall"
	"time"

	"github.com/tutti-realtime/tutti/internal/yard"
)

// A node is one of the cluster, through all of its lives.
type node struct {
	at      yard.Place
	program string
	http    string // host:port for clients
	env     []string
	dir     string
	network yard.Network
	client  *http.Client
	metrics string // token that may read them

	lives int
	log   string        // file of the life
	life  *yard.Process // nil while it does not run
}

// start starts the node's process. It does not wait for it to be ready.
func (n *node) start() error {
	n.lives++
	n.log = filepath.Join(n.dir, fmt.Sprintf("%v-%d.log", n.at, n.lives))
	log, err := os.Create(n.log)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has it
	cmd := exec.Command(n.program, "serve")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.dir}, n.env...)
	cmd.Stdout, cmd.Stderr = log, log
	n.life, err = yard.Start(n.network, n.at, cmd)
	return err
}

// kill ends the process without a chance to do anything about it.
func (n *node) kill() error {
	if n.life == nil {
		return nil
	}
	_ = n.life.Signal(syscall.SIGKILL) // it may have ended
	<-n.life.Done
	return n.bury()
}

// stop ends the process as an operator does, and returns when it has ended.
func (n *node) stop(within time.Duration) error {
	if n.life == nil {
		return nil
	}
	if err := n.life.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(fmt.Errorf("node %v has ended by itself: %w", n.at, err), n.kill())
	}
	select {
	case <-n.life.Done:
	case <-time.After(within):
		return errors.Join(fmt.Errorf("node %v still runs %v after it was told to stop", n.at, within), n.kill())
	}
	err := n.life.Err
	if err != nil {
		err = fmt.Errorf("node %v ended badly: %w", n.at, err)
	}
	return errors.Join(err, n.bury())
}

// bury looks at what a life that is over has left in its log.
func (n *node) bury() error {
	n.life = nil
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err
	}
	if said := broken.Find(text); said != nil {
		return fmt.Errorf("node %v broke: %.300s", n.at, said)
	}
	return nil
}

// last returns the end of the node's log.
func (n *node) last() string {
	text, _ := os.ReadFile(n.log)
	return string(text[max(0, len(text)-500):])
}

// broken is what a node says that panics, or that finds a race.
var broken = regexp.MustCompile(`(?m)^(panic: |fatal error: |.*DATA RACE|.*"level":"ERROR".*(panic|stack)).*`)

// A status is what a node says of itself, as far as we need it.
type status struct {
	Ready   bool
	Topics  int64
	Cluster struct{ Nodes []struct{ ID string } }
}

func (n *node) status(ctx context.Context) (s status, err error) {
	body, err := n.request(ctx, http.MethodGet, "/status", "", nil)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(body, &s)
}

// whole reports whether a node is ready, has greeted, and hears so many nodes,
// itself among them.
func (n *node) whole(ctx context.Context, count int) bool {
	if n.life == nil {
		return false
	}
	text, _ := os.ReadFile(n.log)
	s, err := n.status(ctx)
	return err == nil && s.Ready && bytes.Contains(text, []byte(" is ready")) && (count == 1 || len(s.Cluster.Nodes) == count)
}

// request asks the node over HTTP, ten seconds at most. Each question has its own
// connection, so that none of them is counted the next time.
func (n *node) request(ctx context.Context, method, path, token string, payload any) (body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var content io.Reader
	if payload != nil {
		text, err := json.Marshal(payload)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+n.http+path, content)
	if err != nil {
		return nil, err
	}
	r.Close = true
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := n.client.Do(r)
	if err != nil {
		return nil, err
	}
	body, err = io.ReadAll(answer.Body)
	err = errors.Join(err, answer.Body.Close())
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s on node %v: %s %.200s", method, path, n.at, answer.Status, body)
	}
	return body, err
}

// others returns the nodes of a cluster of so many but one.
func others(p yard.Place, count int) (rest []yard.Place) {
	return slices.DeleteFunc(slices.Clone(yard.Trio[:count]), func(o yard.Place) bool { return o == p })
}

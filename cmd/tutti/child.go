package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"time"
)

// A child is a node that runs as a process of its own, and dies with ours.
type child struct {
	name string
	cmd  *exec.Cmd

	greeted chan struct{} // closed when it has said where it is
	base    string        // where clients reach it; to be read after greeted

	done chan struct{} // closed when it has ended
	err  error         // how; to be read after done
}

// startChild starts a node. Its log goes to out with its name before each line,
// a line for each Write, but the line that says where it is, which is for us.
// The goroutine that this starts ends with the process, which it puts into ended.
func startChild(name string, cmd *exec.Cmd, out io.Writer, ended chan<- *child) (*child, error) {
	c := &child{name: name, cmd: cmd, greeted: make(chan struct{}), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the life of a child to that of the thread that started it.
		runtime.LockOSThread()
		c.own(out, started)
		close(c.done)
		ended <- c
	}()
	return c, <-started
}

// own starts the process, reads what it says to the end, and waits for it.
func (c *child) own(out io.Writer, started chan<- error) {
	r, w, err := os.Pipe()
	if err != nil {
		started <- err
		return
	}
	defer r.Close()
	c.cmd.Stdout, c.cmd.Stderr = w, w
	release, err := startTied(c.cmd)
	_ = w.Close() // from here on only the child has it, and its end is the child's
	started <- err
	if err != nil {
		return
	}
	c.read(r, out)
	c.err = c.cmd.Wait()
	release()
}

// greetingLine is what serve says, with a control database, when it is ready.
var greetingLine = regexp.MustCompile(`^Tutti \S+ is ready: (\S+)$`)

// read passes lines on until there are no more.
func (c *child) read(r io.Reader, out io.Writer) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, _, err := lines.ReadLine() // a line that is longer becomes several
		if err != nil {
			return
		}
		if found := greetingLine.FindSubmatch(line); found != nil && c.base == "" {
			c.base = string(found[1])
			close(c.greeted)
			continue
		}
		_, _ = out.Write(fmt.Appendf(nil, "%s | %s\n", c.name, line)) // a full disk must not stop the reading
	}
}

// greet waits until the node has said where it is.
func (c *child) greet(ctx context.Context) error {
	select {
	case <-c.greeted:
		return nil
	case <-c.done:
		return c.early()
	case <-ctx.Done():
		return fmt.Errorf("%s is not ready: it waits for its database", c.name)
	}
}

func (c *child) early() error {
	return fmt.Errorf("%s ended before it was ready (%s); its log says why", c.name, c.end())
}

// meet waits until a node that has greeted is ready and knows a whole cluster of
// so many nodes.
func (c *child) meet(ctx context.Context, nodes int) error {
	// The certificate of a server for development need not be good.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for {
		reason := c.ask(ctx, client, nodes)
		if reason == nil {
			return nil
		}
		select {
		case <-c.done:
			return c.early()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", c.name, reason)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ask asks the node whether it is ready, and whom it knows. The error is what
// is missing.
func (c *child) ask(ctx context.Context, client *http.Client, nodes int) error {
	var readiness struct{ Reason string }
	if err := get(ctx, client, c.base+"/health/ready", &readiness); err != nil {
		return err
	}
	if readiness.Reason != "" {
		return errors.New(readiness.Reason)
	}
	var status struct {
		Cluster struct{ Nodes []struct{ ID string } }
	}
	if err := get(ctx, client, c.base+"/status", &status); err != nil {
		return err
	}
	if n := len(status.Cluster.Nodes); n != nodes {
		return fmt.Errorf("it knows %d nodes of %d", n, nodes)
	}
	return nil
}

// get reads the JSON of an answer, whatever its status is.
func get(ctx context.Context, client *http.Client, url string, v any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(v); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	return nil
}

// running reports whether the process has not ended.
func (c *child) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// end says how the process ended.
func (c *child) end() string {
	if c.err != nil {
		return c.err.Error()
	}
	return "exit status 0"
}

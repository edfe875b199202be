package postmaster

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

const (
	readyLine = "database system is ready to accept connections"
	// patience is how long a PostgreSQL may take to obey before it is told more
	// plainly. A fast shutdown waits for replication clients, which may hang.
	patience = 5 * time.Second
	// lastLines is how much of the log is kept for the error of a failed start.
	lastLines = 40
)

// A process is one run of PostgreSQL: the postmaster and all its children.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when it accepts connections
	done  chan struct{} // closed when the last of its processes has ended
	last  []string      // the last lines of its log; to be read after done
}

// launch starts cmd, whose log goes to log, and returns when it is running. The
// goroutine that it starts ends when done is closed.
func launch(cmd *exec.Cmd, log io.WriteCloser) (*process, error) {
	p := &process{cmd: cmd, ready: make(chan struct{}), done: make(chan struct{})}
	started := make(chan error)
	go p.own(log, started)
	return p, <-started
}

// own starts the command, reads its log to the end and waits for it. Linux ties
// the child's life to that of the thread which started it, so the goroutine
// keeps its thread, and takes it along when it ends.
func (p *process) own(log io.WriteCloser, started chan<- error) {
	defer close(p.done)
	defer log.Close()
	runtime.LockOSThread()
	r, w, err := os.Pipe()
	if err != nil {
		started <- err
		return
	}
	defer r.Close()
	p.cmd.Stderr = w
	err = p.cmd.Start()
	// From here on only PostgreSQL has the writing end. Every process of it
	// inherits it, so the log's end is the end of the last of them.
	w.Close()
	if err != nil {
		started <- err
		return
	}
	release, err := tether(p.cmd.Process.Pid)
	if err != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		started <- err
		return
	}
	started <- nil
	p.read(r, log)
	_ = p.cmd.Wait() // how it ended stands in its log
	release()
}

// read copies the log until its end and notices when PostgreSQL is ready.
func (p *process) read(r io.Reader, log io.Writer) {
	ready := false
	lines := bufio.NewReader(r)
	for {
		line, isPrefix, err := lines.ReadLine()
		if err != nil {
			return
		}
		text := string(line)
		if !isPrefix {
			line = append(line, '\n')
		}
		_, _ = log.Write(line) // a full disk must not stop the reading
		if len(p.last) == lastLines {
			p.last = p.last[1:]
		}
		p.last = append(p.last, text)
		if !ready && strings.Contains(text, readyLine) {
			ready = true
			close(p.ready)
		}
	}
}

// said tells whether one of the last lines of an ended process contains text.
func (p *process) said(text string) bool {
	for _, line := range p.last {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// fatal returns the line that says why an ended process has ended.
func (p *process) fatal() error {
	for _, line := range p.last {
		if _, text, ok := strings.Cut(line, "FATAL:"); ok {
			return errors.New(strings.TrimSpace(text))
		}
	}
	if len(p.last) == 0 {
		return errors.New("it said nothing")
	}
	return errors.New(p.last[len(p.last)-1])
}

// end sends one signal after the other, each when the one before has not helped
// in time, until all processes have ended. A cancelled context is impatience: it
// moves on to the second signal at once.
func (p *process) end(ctx context.Context, signals ...os.Signal) error {
	for i, signal := range signals {
		_ = p.cmd.Process.Signal(signal) // fails when it has ended, which done tells
		impatient := ctx.Done()
		if i > 0 {
			impatient = nil
		}
		// PostgreSQL itself gives its children 5 s in an immediate shutdown.
		timer := time.NewTimer(patience + time.Duration(i)*time.Second)
		select {
		case <-p.done:
			timer.Stop()
			return nil
		case <-timer.C:
		case <-impatient:
			timer.Stop()
		}
	}
	return &Error{Code: PostgresFailed, Cause: "PostgreSQL does not end", Cure: "see what its processes wait for"}
}

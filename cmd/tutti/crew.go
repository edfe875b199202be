package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// startPatience is how long a node may take to start, and all of them to meet.
const startPatience = 30 * time.Second

// A crew is nodes on one machine, each a process of its own.
type crew struct {
	all   []*child
	ended chan *child // each of them comes here once; has room for all
}

// start starts a node, and returns when it has said where it is, or ctx ends.
func (c *crew) start(ctx context.Context, name string, cmd *exec.Cmd, out io.Writer) error {
	node, err := startChild(name, cmd, out, c.ended)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	c.all = append(c.all, node)
	waiting, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := node.greet(waiting); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// await waits until all are ready and know each other, or ctx ends.
func (c *crew) await(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for _, node := range c.all {
		if err := node.meet(waiting, len(c.all)); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// watch says who ends, until ctx ends. When all have ended that is an error.
func (c *crew) watch(ctx context.Context) error {
	for left := len(c.all); left > 0; {
		select {
		case <-ctx.Done():
			return nil
		case node := <-c.ended:
			left--
			fmt.Fprintf(os.Stderr, "tutti: %s has ended (%s), nodes that go on: %d\n", node.name, node.end(), left)
		}
	}
	return errors.New("all nodes have ended")
}

// stop asks all that run to stop, the last one first, and returns when they have
// ended. Those that take longer than patience are killed. The error names those
// that did not stop well.
func (c *crew) stop(patience time.Duration) error {
	var running []*child
	for _, node := range slices.Backward(c.all) {
		if node.running() {
			running = append(running, node)
			_ = node.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended meanwhile
		}
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	var faults []error
	for _, node := range running {
		select {
		case <-node.done:
		case <-late.C:
			late.Reset(0) // the others are late as well
			_ = node.cmd.Process.Kill()
			<-node.done
		}
		if node.err != nil {
			faults = append(faults, fmt.Errorf("stop %s: %w", node.name, node.err))
		}
	}
	return errors.Join(faults...)
}

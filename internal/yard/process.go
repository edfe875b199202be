//go:build linux

package yard

import (
	"fmt"
	"os/exec"
	"syscall"
)

// A Process is one that was started at a place.
type Process struct {
	PID  int
	Done chan struct{} // closed when it has ended
	Err  error         // how; to be read after Done
}

// Start starts a process at a place of a network. Whatever becomes of us, it does
// not outlive us. Its error is one of the start.
func Start(n Network, at Place, cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &Process{Done: make(chan struct{})}
	started := make(chan error, 1)
	go p.own(n, at, cmd, started)
	if err := <-started; err != nil {
		<-p.Done
		return nil, err
	}
	n.Runs(at, p.PID)
	return p, nil
}

// own starts the process and waits for it. The kernel ties the process to the
// thread that started it, so the goroutine keeps its thread.
func (p *Process) own(n Network, at Place, cmd *exec.Cmd, started chan<- error) {
	defer close(p.Done)
	p.Err = keepThread(func() error {
		err := n.Join(at)
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			started <- fmt.Errorf("start at %v: %w", at, err)
			return err
		}
		p.PID = cmd.Process.Pid
		started <- nil
		return cmd.Wait()
	})
}

// Signal sends the process a signal.
func (p *Process) Signal(s syscall.Signal) error { return syscall.Kill(p.PID, s) }

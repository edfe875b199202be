//go:build unix

package postmaster

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

const supported = true

// Ways to shut PostgreSQL down. https://www.postgresql.org/docs/current/server-shutdown.html
const (
	fast      = syscall.SIGINT
	immediate = syscall.SIGQUIT
)

// lockFile locks f for this process, or fails at once.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// attributes makes a child run as the account, and in a process group of its
// own: the Ctrl-C of a terminal is for us, who stop the child in good order.
func attributes(a *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: a.credential()}
}

// watch sends a process the immediate shutdown when ours dies, whatever of. It
// does so by a shell that waits for the end of a pipe which only we hold open.
// release ends the watch.
func watch(pid int) (release func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	shell := exec.Command("/bin/sh", "-c", `read -r _; kill -QUIT "$0"`, strconv.Itoa(pid))
	shell.Stdin = r
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := shell.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("watch over process %d: %w", pid, err)
	}
	return func() {
		_ = shell.Process.Kill() // before the pipe ends, which it would act on
		_ = shell.Wait()
		w.Close()
	}, nil
}

//go:build unix && !linux

package main

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// startTied starts a process that is killed when ours dies, whatever of, until
// it is released: a shell waits for the end of a pipe that only we hold open.
// Both have process groups of their own: the Ctrl-C of a terminal is for us,
// who stop them in order.
func startTied(cmd *exec.Cmd) (release func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err == nil {
		defer r.Close()
		shell := exec.Command("/bin/sh", "-c", `read -r _; kill -KILL "$0"`, strconv.Itoa(cmd.Process.Pid))
		shell.Stdin, shell.SysProcAttr = r, &syscall.SysProcAttr{Setpgid: true}
		if err = shell.Start(); err == nil {
			return func() {
				_ = shell.Process.Kill() // before the pipe ends, which it would act on
				_ = shell.Wait()
				_ = w.Close()
			}, nil
		}
		_ = w.Close()
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil, err
}

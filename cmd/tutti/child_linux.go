package main

import (
	"os/exec"
	"syscall"
)

// startTied starts a process that is killed when the thread that calls this
// ends, as it does when our process is killed. It has a process group of its
// own: the Ctrl-C of a terminal is for us, who stop it in order.
func startTied(cmd *exec.Cmd) (release func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return func() {}, cmd.Start()
}

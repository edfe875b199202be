//go:build unix

package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// niceness is how much the listeners yield to the server.
const niceness = 10

// yield lowers the priority of this process. Linux has one for each thread, and
// a thread that is made later has that of who makes it.
func yield() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil { // elsewhere it is the process's
		return unix.Setpriority(unix.PRIO_PROCESS, os.Getpid(), niceness)
	}
	for _, task := range tasks {
		thread, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, thread, niceness); err != nil {
			return fmt.Errorf("set the priority: %w", err)
		}
	}
	return nil
}

//go:build unix && !linux

package postmaster

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithUs is what only Linux can do; tether stands in.
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}

// tether makes a process die with ours, until released.
func tether(pid int) (release func(), err error) { return watch(pid) }

// serves tells whether a process is the PostgreSQL of a cluster.
func serves(pid int, data string) bool {
	line, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(line), "postgres -D "+data+" ")
}

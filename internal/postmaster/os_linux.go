package postmaster

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// dieWithUs makes the kernel send a child the signal when the thread that starts
// it ends, as it does when our process is killed.
func dieWithUs(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

// tether has nothing left to do after dieWithUs.
func tether(int) (release func(), err error) { return func() {}, nil }

// serves tells whether a process is the PostgreSQL of a cluster. It looks at the
// command line, which, unlike the working folder, all may read.
func serves(pid int, data string) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return false
	}
	args := strings.Split(string(line), "\x00")
	return strings.HasSuffix(args[0], "postgres") && slices.Contains(args, data)
}

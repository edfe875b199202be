package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// ticks is how many units of processor time in /proc make a second. It is 100
// on every architecture that Go knows; see proc(5) and USER_HZ.
const ticks = 100

// A process is the server, seen from outside. The zero pid is none.
type process struct{ pid int }

// A sample is what a process had used by one moment.
type sample struct {
	cpu time.Duration // user and system
	rss int64         // bytes of memory
}

func openProcess(pid int) (process, error) {
	p := process{pid}
	if pid == 0 {
		return p, nil
	}
	if _, err := p.sample(); err != nil {
		return p, fmt.Errorf("--pid %d: %w", pid, err)
	}
	return p, nil
}

// sample reads /proc. See proc_pid_stat(5) and proc_pid_statm(5).
func (p process) sample() (s sample, err error) {
	if p.pid == 0 {
		return s, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return s, err
	}
	// The second field is the program's name in brackets and may hold spaces.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return s, fmt.Errorf("%d fields in stat are too few", len(fields))
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return s, fmt.Errorf("read user time: %w", err)
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	if err != nil {
		return s, fmt.Errorf("read system time: %w", err)
	}
	s.cpu = time.Duration(user+system) * time.Second / ticks
	s.rss, err = p.memory()
	return s, err
}

func (p process) memory() (int64, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0, fmt.Errorf("%d fields in statm are too few", len(fields))
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}

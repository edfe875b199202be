package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ticks is how many units of processor time in /proc make a second. It is 100
// on every architecture that Go knows; see proc(5) and USER_HZ.
const ticks = 100

// processes are those whose work is counted: the server, PostgreSQL with all of
// its processes, and ourselves. It needs the /proc of Linux.
type processes struct{ server, postmaster int }

// usage is what they had used by one moment, or in between two.
type usage struct{ Server, Postgres, Generator time.Duration }

// minus returns what was used since an earlier moment.
func (u usage) minus(before usage) usage {
	return usage{u.Server - before.Server, u.Postgres - before.Postgres, u.Generator - before.Generator}
}

func (p processes) sample() (u usage, err error) {
	server, err := readStat(p.server)
	if err != nil {
		return u, fmt.Errorf("look at the server's process: %w", err)
	}
	self, err := readStat(os.Getpid())
	if err != nil {
		return u, fmt.Errorf("look at our own process: %w", err)
	}
	u.Server, u.Generator = server.own, self.own
	u.Postgres, err = family(p.postmaster)
	return u, err
}

// family returns the processor time of a process, its children and those of its
// children that have ended.
func family(pid int) (time.Duration, error) {
	parent, err := readStat(pid)
	if err != nil {
		return 0, fmt.Errorf("look at PostgreSQL's process: %w", err)
	}
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, fmt.Errorf("look at the processes: %w", err)
	}
	sum := parent.own + parent.ended
	for _, name := range all {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			continue
		}
		// One that has ended meanwhile is counted with its parent, or the next time.
		if s, err := readStat(child); err == nil && s.parent == pid {
			sum += s.own + s.ended
		}
	}
	return sum, nil
}

// A stat is what /proc says of a process. See proc_pid_stat(5).
type stat struct {
	parent     int
	own, ended time.Duration // processor time, of itself and of children it has waited for
}

func readStat(pid int) (s stat, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, err
	}
	return parseStat(text)
}

func parseStat(text []byte) (s stat, err error) {
	// The second field is the program's name in brackets and may hold spaces.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return s, fmt.Errorf("%d fields in stat are too few", len(fields))
	}
	number := func(i int) (n int64) {
		if err == nil {
			n, err = strconv.ParseInt(string(fields[i]), 10, 64)
		}
		return n
	}
	s.parent = int(number(1))
	s.own = time.Duration(number(11)+number(12)) * time.Second / ticks
	s.ended = time.Duration(number(13)+number(14)) * time.Second / ticks
	return s, err
}

// peak returns the most memory that a process had at once, in bytes. See
// proc_pid_status(5).
func peak(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("look at the server's memory: %w", err)
	}
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte("VmHWM:")); found {
			var kilobytes int64
			_, err := fmt.Sscanf(string(rest), "%d kB", &kilobytes)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("look at the server's memory: no VmHWM for process %d", pid)
}

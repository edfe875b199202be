//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// figures is what a node holds at a moment.
type figures struct {
	Connections int64 `json:"connections"`
	Topics      int64 `json:"topics"`
	Goroutines  int64 `json:"goroutines"`
	Files       int64 `json:"open_files"`
	Heap        int64 `json:"heap_in_use_bytes"`
	Memory      int64 `json:"resident_bytes"`
}

const mega = 1 << 20

// String returns the figures in a line.
func (f figures) String() string {
	return fmt.Sprintf("%d connections, %d topics, %d goroutines, %d files, %.0f MB heap, %.0f MB resident",
		f.Connections, f.Topics, f.Goroutines, f.Files, float64(f.Heap)/mega, float64(f.Memory)/mega)
}

// bounds is how much more than before there may be afterwards: what caches, maps
// and the runtime keep for the next time, what a node holds that is the one of
// the cluster which reads the database, or has a room, and was not before.
var bounds = figures{Goroutines: 20, Files: 15, Topics: 2, Heap: 48 * mega, Memory: 128 * mega}

// compare says in sentences what there is more of now than there may be.
func (f figures) compare(now figures) error {
	var faults []error
	check := func(what string, before, now, more int64) {
		if now > before+more {
			faults = append(faults, fmt.Errorf("%d %s before and %d after, of which %d more may be", before, what, now, more))
		}
	}
	check("connections", f.Connections, now.Connections, bounds.Connections)
	check("topics", f.Topics, now.Topics, bounds.Topics)
	check("goroutines", f.Goroutines, now.Goroutines, bounds.Goroutines)
	check("open files", f.Files, now.Files, bounds.Files)
	check("bytes of heap in use", f.Heap, now.Heap, bounds.Heap)
	check("bytes resident", f.Memory, now.Memory, bounds.Memory)
	return errors.Join(faults...)
}

// figures asks the node.
func (n *node) figures(ctx context.Context) (f figures, err error) {
	body, err := n.request(ctx, "GET", "/metrics?scope=node", n.metrics, nil)
	if err != nil {
		return f, err
	}
	f = parseFigures(string(body))
	s, err := n.status(ctx)
	f.Topics = s.Topics
	return f, err
}

// parseFigures reads the page of metrics of one node.
func parseFigures(page string) (f figures) {
	into := map[string]*int64{
		"phoenix_connections_active": &f.Connections, "go_goroutines": &f.Goroutines, "process_open_fds": &f.Files,
		"go_memstats_heap_inuse_bytes": &f.Heap, "process_resident_memory_bytes": &f.Memory,
	}
	for line := range strings.Lines(page) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "{")
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if at := into[name]; at != nil && err == nil {
			*at = int64(value)
		}
	}
	return f
}

// settle waits until all nodes are as they were, and returns their figures. The
// error says in a sentence what is not.
func (s *stage) settle(ctx context.Context, before []figures, within time.Duration) (after []figures, fault error) {
	for began := s.ran.Load(); ; {
		var faults []error
		after = make([]figures, len(before))
		for i, n := range s.nodes {
			var err error
			if after[i], err = n.figures(ctx); err == nil {
				err = before[i].compare(after[i])
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("node %v: %w", n.at, err))
			}
		}
		fault = errors.Join(faults...)
		if fault == nil || time.Duration(s.ran.Load()-began) > within || pause(ctx, 500*time.Millisecond) != nil {
			return after, fault
		}
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

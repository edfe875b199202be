package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// figures is what a server holds at a moment.
type figures struct {
	Connections int64 `json:"connections"`
	Topics      int64 `json:"topics"`
	Goroutines  int64 `json:"goroutines"`
	Files       int64 `json:"open_files"`
	Heap        int64 `json:"heap_in_use_bytes"`
	Memory      int64 `json:"resident_bytes"`
}

// String returns the figures in a line.
func (f figures) String() string {
	const mega = 1 << 20
	return fmt.Sprintf("%6d connections %6d topics %6d goroutines %6d files %7.1f MB heap %7.1f MB resident",
		f.Connections, f.Topics, f.Goroutines, f.Files, float64(f.Heap)/mega, float64(f.Memory)/mega)
}

// max returns the greater of each.
func (f figures) max(g figures) figures {
	return figures{
		max(f.Connections, g.Connections), max(f.Topics, g.Topics), max(f.Goroutines, g.Goroutines),
		max(f.Files, g.Files), max(f.Heap, g.Heap), max(f.Memory, g.Memory),
	}
}

// compare says in sentences what there is more of now than there may be.
func (f figures) compare(now figures) error {
	var faults []error
	check := func(what string, before, now, more int64) {
		if now > before+more {
			faults = append(faults, fmt.Errorf("%d %s before and %d after, which is more than %d too many", before, what, now, more))
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

// figures asks the server. Each question has its own connection, so that none
// of them is counted the next time.
func (s *server) figures(ctx context.Context) (f figures, err error) {
	body, err := s.get(ctx, "/metrics")
	if err != nil {
		return f, err
	}
	for line := range strings.Lines(body) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		value, _ := strconv.ParseFloat(text, 64)
		switch name {
		case "phoenix_connections_active":
			f.Connections = int64(value)
		case "go_goroutines":
			f.Goroutines = int64(value)
		case "process_open_fds":
			f.Files = int64(value)
		case "go_memstats_heap_inuse_bytes":
			f.Heap = int64(value)
		case "process_resident_memory_bytes":
			f.Memory = int64(value)
		}
	}
	body, err = s.get(ctx, "/status")
	if err != nil {
		return f, err
	}
	var status struct{ Topics int64 }
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		return f, fmt.Errorf("read the status: %w", err)
	}
	f.Topics = status.Topics
	return f, nil
}

func (s *server) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+path, nil)
	if err != nil {
		return "", err
	}
	r.Close = true
	r.Header.Set("Authorization", "Bearer "+s.metrics)
	r.Header.Set("Accept", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", path, answer.Status)
	}
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

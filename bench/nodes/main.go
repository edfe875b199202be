// Command nodes measures what it costs that a server is one of several: a hop
// between nodes, a message for each node that hears it, a topic that several
// nodes know, an idle node that others know. It prints Markdown tables for
// docs/scaling.md. Rivals in each table are the same work on one node.
//
// It starts nodes as processes of their own on this machine, and owns them. One
// goroutine plays the clients of each node.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	var b bench
	flag.BoolVar(&b.short, "short", false, "run all for a moment: shows that they work, the figures mean nothing")
	flag.StringVar(&b.only, "only", "", "what to measure, with commas between them: "+strings.Join(names(), ", "))
	flag.StringVar(&b.server, "server", "", "the server's program; built when it is not given")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
}

// A bench is one run of this program.
type bench struct {
	short  bool
	only   string
	server string
	dir    string
}

// loads are what can be measured, by name.
var loads = []struct {
	name    string
	measure func(*bench, context.Context) error
}{
	{"hop", (*bench).hop},
	{"fan", (*bench).fan},
	{"topics", (*bench).topics},
	{"idle", (*bench).idle},
}

func names() (all []string) {
	for _, l := range loads {
		all = append(all, l.name)
	}
	return all
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "tutti-nodes-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.server == "" {
		b.server = filepath.Join(b.dir, "tutti")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.server, "./cmd/tutti")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build the server: %w", err)
		}
	}
	for _, l := range loads {
		if b.only != "" && !strings.Contains(","+b.only+",", ","+l.name+",") {
			continue
		}
		if err := l.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// length returns how long something is measured.
func (b *bench) length(d time.Duration) time.Duration {
	if b.short {
		return 300 * time.Millisecond
	}
	return d
}

// number returns how many of something there are.
func (b *bench) number(n int) int {
	if b.short {
		return max(1, n/50)
	}
	return n
}

// table prints a Markdown table.
func table(title string, head []string, rows [][]string) {
	fmt.Printf("\n%s\n\n| %s |\n%s|\n", title, strings.Join(head, " | "), strings.Repeat("|---", len(head)))
	for _, r := range rows {
		fmt.Printf("| %s |\n", strings.Join(r, " | "))
	}
}

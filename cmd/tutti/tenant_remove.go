package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

type tenantRemove struct {
	Name string `arg:"" help:"Id of the tenant."`
	Yes  bool   `help:"Do not ask." short:"y"`
}

// Run removes a tenant, once it has been asked whether that is meant.
func (r *tenantRemove) Run(ctx context.Context, k *kong.Context, t *tenantCommand) error {
	return t.visit(ctx, k, func(store tenantStore) error {
		if _, err := existing(ctx, store, r.Name); err != nil {
			return err
		}
		if !r.Yes {
			if err := r.ask(ctx); err != nil {
				return err
			}
		}
		if _, err := store.write(ctx, r.Name, nil); err != nil {
			return err
		}
		if t.JSON {
			return printJSON(map[string]string{"removed": r.Name})
		}
		fmt.Printf("Tenant %q is removed. Servers disconnect its clients.\n", r.Name)
		return nil
	})
}

// ask asks at the terminal. It is nil when the answer is yes.
func (r *tenantRemove) ask(ctx context.Context) error {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return r.unasked()
	}
	fmt.Fprintf(os.Stderr, "Remove tenant %q and disconnect its clients? [y/N] ", r.Name)
	answer, err := readLine(ctx, os.Stdin)
	switch {
	case errors.Is(err, io.EOF): // such as that of /dev/null
		return r.unasked()
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("tenant %q was not removed, since the answer was not yes", r.Name)
}

func (r *tenantRemove) unasked() error {
	return wrongUsef("tenant %q was not removed: there is no terminal to ask at, so say --yes if you mean it", r.Name)
}

// readLine waits for a line, and not longer than ctx. Nothing interrupts a read
// from a terminal: it is left to end with the process, which is about to.
func readLine(ctx context.Context, from io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(from).ReadString('\n')
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

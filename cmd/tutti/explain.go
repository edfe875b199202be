package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tutti-realtime/tutti/internal/explain"
)

type explainCommand struct {
	Code string `arg:"" optional:"" help:"Code of the error, or a word that is in it; without one all are listed."`
	JSON bool   `help:"Print JSON."`
}

// Run says what a code means. A word that is no code, and not in any, is an error.
func (e *explainCommand) Run() error {
	if e.Code == "" {
		return e.list(explain.All())
	}
	if entry, known := explain.Find(e.Code); known {
		if e.JSON {
			return printJSON(entry)
		}
		return e.print(os.Stdout, entry)
	}
	var some []explain.Entry
	for _, code := range explain.Near(e.Code) {
		entry, _ := explain.Find(code)
		some = append(some, entry)
	}
	if len(some) == 0 {
		return fmt.Errorf("there is no code %s, and none that has to do with it; \"tutti explain\" lists all", e.Code)
	}
	return e.list(some)
}

func (e *explainCommand) list(entries []explain.Entry) error {
	if e.JSON {
		return printJSON(entries)
	}
	for _, entry := range entries {
		if _, err := fmt.Printf("%-34s %s\n", entry.Code, entry.Cause); err != nil {
			return err
		}
	}
	return nil
}

func (e *explainCommand) print(w io.Writer, entry explain.Entry) error {
	var seen []string
	for _, place := range entry.Seen {
		seen = append(seen, string(place))
	}
	lines := []string{entry.Code, "  seen:  " + strings.Join(seen, ", ")}
	if entry.Text != "" {
		lines = append(lines, "  text:  "+entry.Text)
	}
	if entry.Status > 0 {
		lines = append(lines, fmt.Sprint("  HTTP:  ", entry.Status))
	}
	lines = append(lines, "  cause: "+entry.Cause)
	if entry.Cure != "" {
		lines = append(lines, "  cure:  "+entry.Cure)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

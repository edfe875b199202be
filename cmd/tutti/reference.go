package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti/internal/explain"
)

// referenceCommand prints the parts of the documents that are made of the code. A test
// compares them; `make references` writes them.
type referenceCommand struct {
	Name string `arg:"" enum:"configuration,errors,commands" help:"configuration, errors or commands."`
}

// Run prints Markdown.
func (r *referenceCommand) Run(k *kong.Kong) error { return writeReference(os.Stdout, r.Name, k.Model) }

// references are their names, and the documents they stand in.
var references = map[string]string{
	"configuration": "configuration.md",
	"errors":        "errors.md",
	"commands":      "commands.md",
}

func writeReference(w io.Writer, name string, model *kong.Application) error {
	switch name {
	case "errors":
		return explain.Markdown(w)
	case "commands":
		return writeCommands(w, model)
	}
	return writeConfiguration(w, model)
}

// writeConfiguration writes a table for each group of settings of `tutti serve`, in the
// order in which they are declared.
func writeConfiguration(w io.Writer, model *kong.Application) error {
	var titles []string
	tables := map[string]*strings.Builder{}
	for _, f := range serveFlags(model) {
		if f.Hidden || f.Name == "help" {
			continue
		}
		title := "The server"
		if f.Group != nil {
			title = f.Group.Key
		}
		table := tables[title]
		if table == nil {
			table = &strings.Builder{}
			fmt.Fprintf(table, "## %s\n\n| variable | flag | default | |\n|---|---|---|---|\n", title)
			titles, tables[title] = append(titles, title), table
		}
		fmt.Fprintf(table, "| %s | `--%s` | %s | %s |\n", code(strings.Join(f.Envs, ", ")), f.Name, code(f.Default), cellOf(f))
	}
	if at := slices.Index(titles, "The server"); at > 0 { // flags of no group stand at both ends
		titles = slices.Insert(slices.Delete(titles, at, at+1), 0, "The server")
	}
	for _, title := range titles {
		if _, err := fmt.Fprintln(w, tables[title]); err != nil {
			return err
		}
	}
	return nil
}

// cellOf returns what a flag is for, and which words it takes.
func cellOf(f *kong.Flag) string {
	text := f.Help
	if f.Enum != "" {
		text += " One of " + strings.ReplaceAll(f.Enum, ",", ", ") + "."
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// writeCommands writes what each command is for, and its own flags and arguments. Those
// of serve are in the configuration.
func writeCommands(w io.Writer, model *kong.Application) error {
	for _, leaf := range model.Leaves(true) {
		fmt.Fprintf(w, "## tutti %s\n\n%s\n\n```text\ntutti %s\n```\n\n", leaf.Path(), leaf.Help, leaf.Summary())
		if leaf.Name == "serve" {
			fmt.Fprint(w, "Its settings are in [configuration.md](configuration.md).\n\n")
			continue
		}
		var rows []string
		for _, a := range leaf.Positional {
			rows = append(rows, fmt.Sprintf("| `%s` | | %s |", a.Summary(), strings.ReplaceAll(a.Help, "|", `\|`)))
		}
		for _, f := range leaf.Flags {
			if !f.Hidden && f.Name != "help" && !ofTheServer(model, f) {
				rows = append(rows, fmt.Sprintf("| `--%s` | %s | %s |", f.Name, code(f.Default), cellOf(f)))
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(w, "| | default | |\n|---|---|---|\n%s\n\n", strings.Join(rows, "\n"))
		}
	}
	return nil
}

// ofTheServer reports whether a flag is one of those that `tutti serve` has as well.
func ofTheServer(model *kong.Application, flag *kong.Flag) bool {
	return slices.ContainsFunc(serveFlags(model), func(f *kong.Flag) bool { return f.Name == flag.Name && f.Help == flag.Help })
}

func serveFlags(model *kong.Application) []*kong.Flag {
	for _, leaf := range model.Leaves(true) {
		if leaf.Name == "serve" {
			return leaf.Flags
		}
	}
	return nil
}

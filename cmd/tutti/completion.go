package main

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/alecthomas/kong"
)

// What the shells run. Each asks `tutti complete` and offers what it answers, so
// that a new flag needs no new script.
var (
	//go:embed completion/tutti.bash
	bashCompletion string
	//go:embed completion/tutti.zsh
	zshCompletion string
	//go:embed completion/tutti.fish
	fishCompletion string
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish. Try: source <(tutti completion bash)"`
}

// Run prints the script of a shell.
func (c *completionCommand) Run() error {
	script := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	if _, err := os.Stdout.WriteString(script); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// A completeCommand is asked by shells: what may stand at the last of the words?
// The answer has a line for each: what it is, a tab, and what it means. A line
// ":files" says that it is the name of a file.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"What stands after tutti, up to the cursor."`
}

// Run answers. Whatever is wrong, a shell wants no error in the middle of a line.
func (c *completeCommand) Run(k *kong.Context) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, o := range complete(k.Model.Node, words, tenantNames) {
		if _, err := fmt.Printf("%s\t%s\n", o.word, o.help); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

//go:build linux

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The programs that the nodes run.
const (
	today    = "tutti"          // as it is
	tomorrow = "tutti-tomorrow" // its envelopes have a minor version more, and a field
)

// changes make the envelope of tomorrow: in each pair the first text stands in
// the source once.
var changes = [][2]string{
	{"\tminor = 0\n", "\tminor = 1\n"},
	{"\treturn appendBytes(dst, p.message.Payload)\n", "\treturn appendBytes(appendBytes(dst, p.message.Payload), \"a field of tomorrow\")\n"},
	{"\tswitch {\n\tcase r.err != nil:\n\t\treturn envelope{}, r.err\n", "\tif e.minor > 0 {\n\t\t_ = r.bytes()\n\t}\n\tswitch {\n\tcase r.err != nil:\n\t\treturn envelope{}, r.err\n"},
}

const envelope = "internal/cluster/envelope.go"

// buildAll makes the programs in a folder.
func buildAll(ctx context.Context, dir string) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if err := build(ctx, root, filepath.Join(dir, today)); err != nil {
		return err
	}
	overlay, err := changeEnvelope(root, dir)
	if err != nil {
		return fmt.Errorf("make the envelope of tomorrow: %w", err)
	}
	return build(ctx, root, filepath.Join(dir, tomorrow), "-overlay", overlay)
}

// changeEnvelope writes the changed file, and the file that has the compiler
// take it in place of ours.
func changeEnvelope(root, dir string) (overlay string, err error) {
	ours := filepath.Join(root, filepath.FromSlash(envelope))
	text, err := os.ReadFile(ours)
	if err != nil {
		return "", err
	}
	for _, c := range changes {
		if n := bytes.Count(text, []byte(c[0])); n != 1 {
			return "", fmt.Errorf("%q stands %d times in %s, not once", c[0], n, envelope)
		}
		text = bytes.Replace(text, []byte(c[0]), []byte(c[1]), 1)
	}
	theirs := filepath.Join(dir, "envelope.go")
	if err := os.WriteFile(theirs, text, 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {ours: theirs}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, replace, 0o600)
}

// build builds a program, with TUTTI_CHAOS_RACE=1 one that tells of races.
func build(ctx context.Context, root, program string, flags ...string) error {
	args, cgo := append([]string{"build", "-o", program}, flags...), "CGO_ENABLED=0"
	if os.Getenv("TUTTI_CHAOS_RACE") != "" {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/tutti")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), cgo)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", filepath.Base(program), err, said)
	}
	return nil
}

package main

import (
	"context"
	"os"

	"github.com/tutti-realtime/tutti/internal/load"
)

type benchCommand struct {
	load.Command `embed:""`
}

// Run puts load on a server and prints what came of it.
func (b *benchCommand) Run(ctx context.Context) error { return b.Command.Run(ctx, os.Stdout) }

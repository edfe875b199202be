package app

import "context"

// Alive returns when the node has shown that it does its work, or the error that
// only a new start cures. It says nothing of databases and other nodes: those
// are a matter of being ready.
func (a *App) Alive(ctx context.Context) error { return a.sockets.Alive(ctx) }

//go:build !unix

package main

import "os/exec"

// startTied is never reached where tutti dev has no PostgreSQL to start.
func startTied(cmd *exec.Cmd) (release func(), err error) { return func() {}, cmd.Start() }

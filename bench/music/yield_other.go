//go:build !unix

package main

import "errors"

// niceness is how much the listeners yield to the server.
const niceness = 0

// yield lowers the priority of this process, where there is a way.
func yield() error { return errors.New("this system has no way to lower it") }

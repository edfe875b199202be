//go:build !linux

// Command limit is the least that a server can do. It needs epoll.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "limit: needs Linux")
	os.Exit(1)
}

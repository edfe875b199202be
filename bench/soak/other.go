//go:build !linux

// Command soak breaks a cluster for a while and judges what its clients heard.
// It needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "soak: needs Linux")
	os.Exit(2)
}

//go:build !unix

package load

// allowFiles has nothing to raise: sockets are no files here.
func allowFiles(int) error { return nil }

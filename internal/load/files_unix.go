//go:build unix

package load

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// spareFiles is how many descriptors a run needs besides its connections.
const spareFiles = 64

// allowFiles lets the process open as many files as it may, and says how to
// allow more if n connections do not fit.
func allowFiles(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	needed := uint64(n) + spareFiles
	if limit.Cur >= needed {
		return nil
	}
	if limit.Max < needed {
		return fmt.Errorf("%d connections need %d open files, and this process may have %d: raise the hard limit "+
			"(ulimit -Hn in the shell, LimitNOFILE= of systemd, --ulimit nofile= of docker), or ask for fewer connections",
			n, needed, limit.Max)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files to %d: %w", limit.Max, err)
	}
	return nil
}

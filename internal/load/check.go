package load

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// maxConnections bounds a run: the loopback addresses and the numbers in
// a stamp would last for more, the memory of the machine would not.
const maxConnections = 1_000_000

// maxSize is the longest payload in bytes; the reference takes 3,000,500.
const maxSize = 4 << 20

// Validate says in one sentence for each what cannot be done about the flags.
// Flags that were left out have no faults.
func (c *Command) Validate() error {
	d := c.withDefaults()
	c = &d
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	_, known := phoenix.ParseVersion(c.VSN)
	fault(!slices.Contains([]string{Idle, Fanout, Rooms, Presence}, c.Kind), "the kind of load must be idle, fanout, rooms or presence, got %q", c.Kind)
	fault(!known, "--vsn must be 1.0.0 or 2.0.0, got %q", c.VSN)
	fault(c.Connections < 1, "--connections must be at least 1, got %d", c.Connections)
	fault(c.Rooms < 1, "--rooms must be at least 1, got %d", c.Rooms)
	fault(c.Members < 2, "--members must be at least 2, or nobody hears anybody, got %d", c.Members)
	fault(c.Rooms > maxConnections || c.Members > maxConnections || c.total() > maxConnections,
		"more than %d connections are too many for one load generator", maxConnections)
	fault(c.Rate < 0, "--rate must be above 0, got %g", c.Rate)
	fault(c.Size < MinSize, "--size must be at least %d, because a message carries its number and the time at which it was sent, got %d", MinSize, c.Size)
	fault(c.Size > maxSize, "--size must be at most %d, got %d", maxSize, c.Size)
	fault(c.Burst < 1, "--burst must be at least 1, got %d", c.Burst)
	fault(c.Duration < 10*time.Millisecond, "--duration must be at least 10ms, got %v", c.Duration)
	fault(c.ConnectRate < 1, "--connect-rate must be at least 1, got %d", c.ConnectRate)
	fault(c.PID < 0, "--pid must be the id of a process, got %d", c.PID)
	fault(c.PID > 0 && runtime.GOOS != "linux", "--pid reads /proc, which is not there on %s", runtime.GOOS)
	if _, err := parseTarget(c.URL, c.Key, c.VSN); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

//go:build !unix

package admin

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

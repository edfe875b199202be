package music

import (
	"strconv"
	"sync/atomic"
	"time"
)

// A watch names the clock of the server. The name is another after each start, and
// whenever somebody set the clock: what clients have measured by it counts no more.
// Time servers that slew it leave the name as it is.
type watch struct {
	server string // another one for each start
	// read reads the clock, and one that nobody sets, both in ns.
	read func() (wall, steady int64)
	base atomic.Int64 // the difference, when it was last another
	sets atomic.Int64
}

func newWatch(server string) *watch {
	began := time.Now()
	w := &watch{server: server, read: func() (wall, steady int64) {
		now := time.Now()
		return now.UnixNano(), int64(now.Sub(began))
	}}
	w.base.Store(w.difference())
	return w
}

func (w *watch) difference() int64 {
	wall, steady := w.read()
	return wall - steady
}

// epoch returns the name of the clock.
func (w *watch) epoch() string {
	base := w.base.Load()
	if now := w.difference(); apart(now, base) {
		// A thread that waited for its processor between reading the one clock and the
		// other saw the same: it is so only if it is so twice.
		if again := w.difference(); !apart(now, again) && w.base.CompareAndSwap(base, again) {
			w.sets.Add(1)
		}
	}
	return w.server + "-" + strconv.FormatInt(w.sets.Load(), 36)
}

func apart(a, b int64) bool { return max(a-b, b-a) > int64(maxJump) }

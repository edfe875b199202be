package limit

import "time"

// Window allows so many calls in so much time. It opens with the first call and
// the first call after its end opens the next one (protocol.md §6.6). It is 16
// bytes, for each channel has one. The zero value is ready. It is for one
// goroutine at a time.
type Window struct {
	opened int64  // Unix nanoseconds
	calls  uint32 // allowed since; 0 when no window is open
}

// Allow counts a call at now, and reports whether it is one of the first max
// within the period. The window is measured by the period of each call, so a
// changed setting is in force at once.
func (w *Window) Allow(now time.Time, max int, period time.Duration) bool {
	at := now.UnixNano()
	age := time.Duration(at - w.opened)
	// A clock that was set back must not prolong the window.
	if w.calls == 0 || age >= period || age < 0 {
		w.opened, w.calls = at, 0
	}
	if int64(w.calls) >= int64(max) {
		return false
	}
	w.calls++
	return true
}

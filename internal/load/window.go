package load

// A window remembers which numbers of one sender one receiver has seen, the
// last 64 of them one by one. Its zero value has seen none; numbers begin at 0.
type window struct {
	seen uint64 // bit i: number next-1-i has come
	next uint32 // one more than the largest number that has come
}

// A sighting says what a number meant to a window.
type sighting uint8

const (
	inOrder sighting = iota // larger than all before
	late                    // filled a hole that a larger one had left
	again                   // has been here, or is too old to tell
)

// see takes the next number.
func (w *window) see(n uint32) sighting {
	if n >= w.next {
		w.seen = w.seen<<(n-w.next+1) | 1 // a shift by 64 or more leaves 0
		w.next = n + 1
		return inOrder
	}
	age := w.next - 1 - n
	if age >= 64 || w.seen&(1<<age) != 0 {
		return again
	}
	w.seen |= 1 << age
	return late
}

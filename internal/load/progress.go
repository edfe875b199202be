package load

import (
	"fmt"
	"io"
	"time"
)

// showEvery is how often the progress line changes.
const showEvery = 500 * time.Millisecond

// A progress is one line on a terminal that is written over and over.
type progress struct {
	out  io.Writer // nil for none
	next time.Duration

	deliveries int // so far
	shown      int // of these, when the line was last written
}

// show writes the line if it is time for it.
func (p *progress) show(now time.Duration, r *runner) {
	if p.out == nil || now < p.next {
		return
	}
	p.next = now + showEvery
	rate := float64(p.deliveries-p.shown) / showEvery.Seconds()
	p.shown = p.deliveries
	failures := 0
	for _, n := range r.failures {
		failures += n
	}
	// A terminal that cannot be written to is no reason to end the run.
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K%4.0f s  %s of %s joined  %s deliveries/s  %s failures",
		now.Seconds(), number(r.joined), number(len(r.conns)), number(int(rate)), number(failures))
}

func (p *progress) clear() {
	if p.out != nil {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}

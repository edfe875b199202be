package socket

import (
	"bytes"
	"time"
)

// An outbox is what waits to be written to one client. A client for which
// nothing waits has none.
type outbox struct {
	begun []byte // the rest of what was written in part
	first line   // goes ahead of the bulk
	bulk  line
	bytes int       // of all that waits
	since time.Time // when the client last took something; zero before it ever would not
}

// A line is frames that wait in order.
type line struct {
	frames [][]byte
	done   int // so many of them wait no more
}

func (q *line) len() int { return len(q.frames) - q.done }

// push adds a frame. Where half of the line is done it moves up first: that of
// a client which always has something waiting would grow for ever.
func (q *line) push(frame []byte) {
	const short = 64
	if q.done > short && q.done > len(q.frames)/2 {
		n := copy(q.frames, q.frames[q.done:])
		clear(q.frames[n:])
		q.frames, q.done = q.frames[:n], 0
	}
	q.frames = append(q.frames, frame)
}

func (q *line) pop() []byte {
	frame := q.frames[q.done]
	q.frames[q.done] = nil
	q.done++
	if q.done == len(q.frames) {
		q.frames, q.done = q.frames[:0], 0
	}
	return frame
}

// empty forgets the frames, and keeps their place for the next unless it has
// become large.
func (q *line) empty() {
	const longest = 256
	clear(q.frames)
	if cap(q.frames) > longest {
		q.frames = nil
	}
	q.frames, q.done = q.frames[:0], 0
}

// box returns an empty outbox.
func (l *loop) box() *outbox {
	if n := len(l.boxes); n > 0 {
		o := l.boxes[n-1]
		l.boxes[n-1] = nil
		l.boxes = l.boxes[:n-1]
		return o
	}
	return &outbox{}
}

// spare takes an outbox back.
func (l *loop) spare(o *outbox) {
	const most = 1024
	if o == nil || len(l.boxes) >= most {
		return
	}
	o.first.empty()
	o.bulk.empty()
	o.begun, o.bytes, o.since = nil, 0, time.Time{}
	l.boxes = append(l.boxes, o)
}

func (o *outbox) add(frame []byte, urgent bool) {
	o.bytes += len(frame)
	if urgent {
		o.first.push(frame)
	} else {
		o.bulk.push(frame)
	}
}

func (o *outbox) urgent() bool { return o.first.len() > 0 }

// waiting returns how many frames wait.
func (o *outbox) waiting() int { return o.first.len() + o.bulk.len() + min(1, len(o.begun)) }

// frameCost is what a waiting frame takes beside its bytes. Without it a client
// could have two million empty pongs waiting in 4 MB.
const frameCost = 48

// weight is what all that waits takes, in bytes.
func (o *outbox) weight() int { return o.bytes + frameCost*o.waiting() }

// drop forgets all but the rest of what was written in part, without which the
// client would not understand another frame.
func (o *outbox) drop() {
	o.first.empty()
	o.bulk.empty()
	o.bytes = len(o.begun)
}

// stuck reports whether the client has taken nothing for so long.
func (o *outbox) stuck(now time.Time, age time.Duration) bool {
	return !o.since.IsZero() && now.Sub(o.since) > age
}

// next returns the frame that goes next, without taking it.
func (o *outbox) next() []byte {
	switch {
	case len(o.begun) > 0:
		return o.begun
	case o.first.len() > 0:
		return o.first.frames[o.first.done]
	}
	return o.bulk.frames[o.bulk.done]
}

// pop takes the frame that goes next.
func (o *outbox) pop() (frame []byte) {
	switch {
	case len(o.begun) > 0:
		frame, o.begun = o.begun, nil
		return frame
	case o.first.len() > 0:
		return o.first.pop()
	}
	return o.bulk.pop()
}

// gather takes the frames that fit into one write together, and copies them
// into buf: at these sizes as good as a gathering write, and one system call
// in place of many. A frame that goes alone is not copied.
func (o *outbox) gather(buf []byte) (batch []byte, copied bool) {
	if o.waiting() == 1 || len(o.next()) > cap(buf)/2 {
		return o.pop(), false
	}
	buf = buf[:0]
	for o.waiting() > 0 && len(buf)+len(o.next()) <= cap(buf) {
		buf = append(buf, o.pop()...)
	}
	return buf, true
}

// flush writes as much as the wire takes and returns how many bytes that were.
// The error is errBlocked when something is left.
func (o *outbox) flush(w wire, buf []byte) (written int, err error) {
	for o.waiting() > 0 {
		batch, copied := o.gather(buf)
		n, err := w.write(batch)
		o.bytes -= n
		written += n
		if n < len(batch) {
			o.begun = batch[n:]
			if copied {
				o.begun = bytes.Clone(o.begun)
			}
		}
		if err == nil && n == len(batch) {
			continue
		}
		if written > 0 || o.since.IsZero() {
			o.since = time.Now()
		}
		if err == nil {
			err = errBlocked
		}
		return written, err
	}
	return written, nil
}

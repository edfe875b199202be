package socket

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A trickle is a wire that takes so many bytes of each write.
type trickle struct {
	takes int
	taken []byte
}

func (w *trickle) write(b []byte) (int, error) {
	n := min(w.takes, len(b))
	w.taken = append(w.taken, b[:n]...)
	if n < len(b) {
		return n, errBlocked
	}
	return n, nil
}

func (w *trickle) read([]byte) ([]byte, error) { return nil, errBlocked }
func (w *trickle) pause(bool)                  {}
func (w *trickle) shut()                       {}
func (w *trickle) close()                      {}

// Whatever a wire takes at a time, frames arrive whole: the urgent ones in their
// order, the others in theirs, and none twice.
func TestFramesArriveWholeAndInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o, w := &outbox{}, &trickle{}
		buf := make([]byte, 0, 16)
		sent := map[byte]byte{} // the number of the last frame of each kind
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "send") {
				urgent := rapid.Bool().Draw(t, "urgent")
				kind := byte('b')
				if urgent {
					kind = 'u'
				}
				sent[kind]++
				length := rapid.IntRange(3, 40).Draw(t, "length")
				frame := append([]byte{kind, byte(length), sent[kind]}, make([]byte, length-3)...)
				o.add(frame, urgent)
			} else if o.waiting() > 0 {
				w.takes = rapid.IntRange(0, 50).Draw(t, "takes")
				_, _ = o.flush(w, buf)
			}
		}
		w.takes = 1 << 20
		if _, err := o.flush(w, buf); err != nil || o.bytes != 0 {
			t.Fatalf("%v, and %d bytes are said to wait", err, o.bytes)
		}
		heard := map[byte]byte{}
		for rest := w.taken; len(rest) > 0; rest = rest[rest[1]:] {
			if heard[rest[0]]++; rest[2] != heard[rest[0]] {
				t.Fatalf("frame %d of kind %c comes, want %d", rest[2], rest[0], heard[rest[0]])
			}
		}
		if heard['u'] != sent['u'] || heard['b'] != sent['b'] {
			t.Fatalf("heard %v of %v", heard, sent)
		}
	})
}

// A client for which something always waits holds memory for what waits only.
func TestALineThatIsNeverEmptyDoesNotGrow(t *testing.T) {
	t.Parallel()
	q := &line{}
	for range 10 {
		q.push(nil)
	}
	for range 100_000 {
		q.push(nil)
		q.pop()
	}
	if q.len() != 10 || cap(q.frames) > 1000 {
		t.Errorf("%d frames wait in %d places, want 10 in few", q.len(), cap(q.frames))
	}
}

// Empty frames cost, too.
func TestSmallFramesWeigh(t *testing.T) {
	t.Parallel()
	o := &outbox{}
	for range 1000 {
		o.add([]byte{0x8A, 0}, true)
	}
	if w := o.weight(); w < 40_000 {
		t.Errorf("a thousand empty pongs weigh %d bytes", w)
	}
}

// A client is stuck when it has taken nothing; one that takes a little, and then
// no more at this moment, is not.
func TestWhoTakesSomethingIsNotStuck(t *testing.T) {
	t.Parallel()
	o, w := &outbox{since: time.Now().Add(-time.Hour)}, &trickle{takes: 10}
	o.add(bytes.Repeat([]byte{1}, 10), false)
	o.add(bytes.Repeat([]byte{2}, 11), false)
	if _, err := o.flush(&once{trickle: w}, make([]byte, 0, 12)); err != errBlocked {
		t.Fatalf("got %v, want errBlocked", err)
	}
	if o.stuck(time.Now(), time.Minute) {
		t.Error("it has just taken ten bytes, and is said to be stuck")
	}
}

// once is a wire that takes one write, and then none.
type once struct {
	*trickle
	done bool
}

func (w *once) write(b []byte) (int, error) {
	if w.done {
		return 0, errBlocked
	}
	w.done = true
	return w.trickle.write(b)
}

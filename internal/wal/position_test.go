package wal

import "testing"

// The lag is what the server has written and may not forget yet.
func TestLag(t *testing.T) {
	t.Parallel()
	var f Feed
	want := func(lag uint64, when string) {
		t.Helper()
		f.position.flushed() // as with each status
		if got := f.Lag(); got != lag {
			t.Errorf("%s: %d, want %d", when, got, lag)
		}
	}
	want(0, "before there is a connection")
	f.position.begin(1000)
	want(0, "where the slot stands")
	f.position.hear(1500)
	want(500, "when the server has written more")
	f.position.hand(1400, 1450, 1)
	want(500, "while nobody has confirmed it")
	f.Confirm(1450)
	want(50, "when that was confirmed")
	f.position.pass(1500)
	want(0, "when nothing behind it is for us")
	f.position.hear(1200)
	want(0, "when an older position comes")
	f.position.begin(7000)
	want(0, "on another server")
}

package gate

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestFailuresOfAnAddress(t *testing.T) {
	t.Parallel()
	f := &Failures{Most: 10, Per: time.Minute}
	now := time.Unix(1_000_000, 0)
	bad, good := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range 10 {
		if wait := f.Wait(bad, now); wait != 0 {
			t.Fatalf("told to wait %v after %d failures", wait, i)
		}
		f.Note(bad, now)
	}
	if wait := f.Wait(bad, now); wait < time.Second || wait > time.Minute {
		t.Errorf("told to wait %v", wait)
	}
	if f.Wait(good, now) != 0 {
		t.Error("another address is told to wait")
	}
	if f.Wait(bad, now.Add(61*time.Second)) == 0 {
		t.Error("all is forgotten at once")
	}
	if f.Wait(bad, now.Add(90*time.Second)) != 0 {
		t.Error("nothing fades")
	}
	if f.Wait(bad, now.Add(time.Hour)) != 0 {
		t.Error("nothing is forgotten")
	}
}

// Who has a network of IPv6 has as many addresses as they like.
func TestFailuresOfANetwork(t *testing.T) {
	t.Parallel()
	f := &Failures{Most: 10, Per: time.Minute}
	now := time.Unix(0, 0)
	for i := range 10 {
		f.Note(netip.MustParseAddr(fmt.Sprintf("2001:db8:7:7::%x", i+1)), now)
	}
	if f.Wait(netip.MustParseAddr("2001:db8:7:7::ffff"), now) == 0 {
		t.Error("another address of the network may go on")
	}
	if f.Wait(netip.MustParseAddr("2001:db8:7:8::1"), now) != 0 {
		t.Error("another network is told to wait")
	}
}

// A crowd of addresses does not fill the memory.
func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	f := &Failures{Most: 10, Per: time.Minute}
	now := time.Unix(0, 0)
	first := netip.MustParseAddr("192.0.2.1")
	f.Note(first, now)
	for i := range 2 * mostKeepers {
		f.Note(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if len(f.this) != mostKeepers {
		t.Errorf("%d addresses are remembered", len(f.this))
	}
	for range 9 {
		f.Note(first, now)
	}
	if f.Wait(first, now) == 0 {
		t.Error("one that was there before the crowd is not counted any more")
	}
}

// An attacker guesses as fast as it can, and is told to wait before anything is
// verified; one that is not counted, as behind a proxy that nobody named, is not.
func TestGuessing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, _ := open(t, Settings{BadTokens: 100, Uncounted: prefixes(t, "10.0.0.0/8"), Proxies: prefixes(t, "172.16.0.1")})
		tries := func(r *http.Request) (n int) {
			for range 10_000 {
				if err := g.Patience(r); err != nil {
					if !refusedWith(err, TooManyBadTokens) {
						t.Fatal(err)
					}
					return n
				}
				g.Bad(r)
				n++
			}
			return n
		}
		for name, tt := range map[string]struct {
			r    *http.Request
			want int
		}{
			"an address":          {from("192.0.2.1:1"), 100},
			"a client of a proxy": {from("172.16.0.1:1", "X-Forwarded-For: 192.0.2.2"), 100},
			"an address of many":  {from("10.0.0.1:1"), 10_000},
			"a proxy itself":      {from("172.16.0.1:1"), 10_000},
		} {
			if n := tries(tt.r); n != tt.want {
				t.Errorf("%s may try %d times", name, n)
			}
		}
		if n := tries(from("172.16.0.1:1", "X-Forwarded-For: 8.8.8.8, 192.0.2.2")); n != 0 {
			t.Errorf("another word to the proxy lets it try %d times", n)
		}
		time.Sleep(2 * time.Minute) // virtual
		if n := tries(from("192.0.2.1:1")); n != 100 {
			t.Errorf("after two minutes it may try %d times", n)
		}
	})
}

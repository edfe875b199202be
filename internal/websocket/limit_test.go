package websocket

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// 9 of the Autobahn test suite: large messages, in one or in many frames, up to
// the limit and over it.
func TestSizes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		frames []int // lengths
		ping   bool  // between any two of them
		code   int
	}{
		"9.1 64 KB":                         {frames: []int{64 << 10}},
		"9.1 4 MB":                          {frames: []int{4 << 20}},
		"9.1 the limit":                     {frames: []int{testLimit}},
		"9.1 a byte more":                   {frames: []int{testLimit + 1}, code: 1009},
		"9.1 16 MB":                         {frames: []int{16 << 20}, code: 1009},
		"9.3 1 MB in fragments of 64 bytes": {frames: slices.Repeat([]int{64}, 16<<10)},
		"9.3 4 MB in fragments of 1 MB":     {frames: slices.Repeat([]int{1 << 20}, 4)},
		"9.3 fragments up to the limit, with pings": {frames: slices.Repeat([]int{testLimit / 5}, 5), ping: true},
		"9.3 fragments to the limit, and a byte":    {frames: append(slices.Repeat([]int{testLimit / 5}, 5), 1), code: 1009},
		"9.3 fragments to the limit, and an end":    {frames: append(slices.Repeat([]int{testLimit / 5}, 5), 0)},
		"9.3 a fragment that is too long by itself": {frames: []int{1, testLimit}, code: 1009},
		"9.3 ten thousand fragments of a byte":      {frames: slices.Repeat([]int{1}, 10_000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stream, want []byte
			for i, n := range tt.frames {
				payload := bytes.Repeat([]byte{byte(i)}, n)
				at := len(stream)
				stream = AppendMasked(stream, Binary, testKey, payload)
				if i > 0 {
					stream[at] = 0x80
				}
				if i < len(tt.frames)-1 {
					stream[at] &= 0x7F
				}
				if tt.ping {
					stream = AppendMasked(stream, Ping, testKey, nil)
				}
				want = append(want, payload...)
			}
			for _, size := range []int{64<<10 - 7, len(stream)} {
				var got [][]byte
				r := &Reader{Limit: testLimit}
				var err error
				for chunk := range slices.Chunk(slices.Clone(stream), size) {
					if err = r.Read(chunk, func(op Opcode, payload []byte) error {
						if op == Binary {
							got = append(got, slices.Clone(payload))
						}
						return nil
					}); err != nil {
						break
					}
				}
				if c := code(t, err); c != tt.code {
					t.Fatalf("in chunks of %d: closed with %d, want %d", size, c, tt.code)
				}
				if tt.code == 0 && (len(got) != 1 || !bytes.Equal(got[0], want)) {
					t.Fatalf("in chunks of %d: got %d messages, not the one that was sent", size, len(got))
				}
			}
		})
	}
}

func TestATooLargeFrameIsRefusedByItsHeader(t *testing.T) {
	t.Parallel()
	frame := AppendMasked(nil, Text, testKey, make([]byte, testLimit+1))
	if err := (&Reader{Limit: testLimit}).Read(frame[:MaxHeader], nil); code(t, err) != 1009 {
		t.Errorf("got %v, want 1009", err)
	}
}

func TestHeadersThatAreNotAsTheyMustBe(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header string // hex
		code   int
		masked bool // as a server it must be, as a client it must not
	}{
		"a server reads no unmasked frame":            {header: "8100", code: 1002},
		"a client reads no masked frame":              {header: "818000000000", code: 1002, masked: true},
		"a length of 125 in two bytes":                {header: "82fe007d00000000", code: 1002},
		"a length of 65535 in eight bytes":            {header: "82ff000000000000ffff00000000", code: 1002},
		"a length of 0 in eight bytes":                {header: "82ff000000000000000000000000", code: 1002},
		"a length whose first bit is set":             {header: "82ff800000000001000000000000", code: 1002},
		"the largest length there is":                 {header: "82ff7fffffffffffffff00000000", code: 1009},
		"a length that a 32-bit integer cannot count": {header: "82ff000000008000000000000000", code: 1009},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := hex.DecodeString(tt.header)
			if err != nil {
				t.Fatal(err)
			}
			for _, pieces := range [][][]byte{{in}, singly(in)} {
				r := &Reader{Limit: 1 << 30, Unmasked: tt.masked}
				got, err := heard(r, pieces...)
				if len(got) != 0 || code(t, err) != tt.code {
					t.Errorf("in %d pieces: heard %q and %v, want %d", len(pieces), got, err, tt.code)
				}
			}
		})
	}
}

func TestASlowSenderCostsWhatItSent(t *testing.T) {
	t.Parallel()
	frame := AppendMasked(nil, Text, testKey, make([]byte, testLimit))
	r := &Reader{Limit: testLimit}
	for i := range 10_000 {
		if err := r.Read(frame[i:i+1], nil); err != nil {
			t.Fatal(err)
		}
		sent := i + 1
		if held := cap(r.partial.frame) + cap(r.partial.fragments); held > 2*sent+32 {
			t.Fatalf("after %d bytes of %d it holds %d", sent, len(frame), held)
		}
	}
}

func TestAReaderHoldsNothingBetweenMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("*", 10_000)
	for name, in := range map[string][]piece{
		"a message":                  {{0x81, long}},
		"a fragmented message":       {{0x01, long}, {0x00, long}, {0x80, long}},
		"a ping in a message":        {{0x01, long}, {0x89, "ping"}, {0x80, ""}},
		"an empty message":           {{0x81, ""}},
		"an empty one, in fragments": {{0x01, ""}, {0x80, ""}},
		"a refused message":          {{0x01, long}, {0x81, long}},
		"a close inside a message":   {{0x01, long}, {0x88, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all []byte
			for _, p := range in {
				all = append(all, p.bytes(true)...)
			}
			for _, pieces := range [][][]byte{{all}, {all[:3], all[3:]}, singly(all)} {
				r := Reader{Limit: testLimit}
				_, _ = heard(&r, pieces...)
				if r != (Reader{Limit: testLimit}) {
					t.Errorf("in %d pieces: it holds %v", len(pieces), r.partial)
				}
			}
		})
	}
}

func TestAnErrorOfTheListenerEndsTheReading(t *testing.T) {
	t.Parallel()
	stop := fmt.Errorf("stop")
	data := slices.Concat(piece{0x81, "one"}.bytes(true), piece{0x81, "two"}.bytes(true))
	n := 0
	err := (&Reader{Limit: testLimit}).Read(data, func(Opcode, []byte) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("got %v after %d messages, want %v after 1", err, n, stop)
	}
}

// Were what came copied for each piece that comes, the work would grow with the
// square of a message's length.
func TestWhatCameIsNotCopiedAgainForEveryPiece(t *testing.T) {
	frame := AppendMasked(nil, Text, testKey, make([]byte, testLimit))
	r := &Reader{Limit: testLimit}
	at := 0
	allocations := testing.AllocsPerRun(10_000, func() {
		if err := r.Read(frame[at:at+1], nil); err != nil {
			t.Fatal(err)
		}
		at++
	})
	if allocations >= 1 {
		t.Errorf("%v allocations for each byte", allocations)
	}
}

package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A message is what a Reader hands on.
type message struct {
	op      Opcode
	payload string
}

// readAll reads a stream that comes in these pieces, which it leaves as they
// are, up to the first error.
func readAll(r *Reader, pieces [][]byte) (got []message, err error) {
	for _, p := range pieces {
		err = r.Read(bytes.Clone(p), func(op Opcode, payload []byte) error {
			got = append(got, message{op, string(payload)})
			return nil
		})
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

// sameReading says in what two readings of one stream differ, "" in nothing.
func sameReading(unmasked bool, whole []byte, pieces [][]byte) string {
	const limit = 1000
	one := Reader{Limit: limit, Unmasked: unmasked}
	many := one
	want, wantErr := readAll(&one, [][]byte{whole})
	got, gotErr := readAll(&many, pieces)
	if !slices.Equal(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
		return fmt.Sprintf("%x as one is %q, %v; in %d pieces %q, %v", whole, want, wantErr, len(pieces), got, gotErr)
	}
	if held(&one) != held(&many) || held(&one) > len(whole) {
		return fmt.Sprintf("%x as one holds %d bytes; in %d pieces %d", whole, held(&one), len(pieces), held(&many))
	}
	return ""
}

// held returns how many bytes a Reader remembers.
func held(r *Reader) int {
	if r.partial == nil {
		return 0
	}
	return len(r.partial.frame) + len(r.partial.fragments)
}

// stream draws bytes that are frames for the most part.
func stream(t *rapid.T, masked bool) []byte {
	piece := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.IntRange(0, 19).Draw(t, "noise") == 0 {
			return rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes")
		}
		first := rapid.SampledFrom([]byte{0x81, 0x82, 0x01, 0x02, 0x00, 0x00, 0x80, 0x80, 0x89, 0x8A, 0x88}).Draw(t, "first")
		n := rapid.SampledFrom([]int{0, 1, 2, 7, 100, 125, 126, 300, 700}).Draw(t, "length")
		if first >= 0x88 {
			n = min(n, 125)
		}
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(i)
		}
		return (piece{first, string(p)}).bytes(masked)
	})
	return slices.Concat(rapid.SliceOfN(piece, 0, 12).Draw(t, "stream")...)
}

// cuts draws a way to cut b.
func cuts(t *rapid.T, b []byte) (pieces [][]byte) {
	sizes := rapid.SampledFrom([][2]int{{1, 1}, {0, 5}, {1, 200}, {1, 2000}}).Draw(t, "sizes")
	for len(b) > 0 {
		n := min(len(b), rapid.IntRange(sizes[0], sizes[1]).Draw(t, "cut"))
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

func TestAStreamReadsTheSameHoweverItIsCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		masked := rapid.Bool().Draw(t, "masked")
		whole := stream(t, masked)
		if difference := sameReading(!masked, whole, cuts(t, whole)); difference != "" {
			t.Fatal(difference)
		}
	})
}

func FuzzReader(f *testing.F) {
	for _, masked := range []bool{true, false} {
		for _, pieces := range [][]piece{
			{{0x81, "Hello"}},
			{{0x01, "one "}, {0x89, "ping"}, {0x00, "two "}, {0x80, "three"}},
			{{0x88, closing(1000, "bye")}, {0x89, ""}},
			{{0x82, string(make([]byte, 300))}, {0x8A, ""}},
			{{0x81, string(make([]byte, 1001))}},
			{{0x01, ""}, {0x81, ""}},
			{{0xC1, "reserved"}},
			{{0x83, "opcode"}},
		} {
			var all []byte
			for _, p := range pieces {
				all = append(all, p.bytes(masked)...)
			}
			f.Add(all, uint16(3), masked)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint16, masked bool) {
		pieces := slices.Collect(slices.Chunk(data, int(size)+1))
		if difference := sameReading(!masked, data, pieces); difference != "" {
			t.Fatal(difference)
		}
		got, err := readAll(&Reader{Limit: 1000, Unmasked: !masked}, pieces)
		var closed *CloseError
		if err != nil && !errors.As(err, &closed) {
			t.Fatalf("%v is not a *CloseError", err)
		}
		var again []byte
		for _, m := range got {
			if masked {
				again = AppendMasked(again, m.op, testKey, []byte(m.payload))
			} else {
				again = AppendFrame(again, m.op, []byte(m.payload))
			}
		}
		back, err := readAll(&Reader{Limit: 1000, Unmasked: !masked}, [][]byte{again})
		if err != nil || !slices.Equal(back, got) {
			t.Fatalf("%q came back as %q, %v", got, back, err)
		}
	})
}

func FuzzHeader(f *testing.F) {
	for _, masked := range []bool{true, false} {
		for _, n := range []int{0, 125, 126, 65536} {
			f.Add((piece{0x82, string(make([]byte, n))}).bytes(masked))
		}
	}
	f.Add([]byte("\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		if err != nil || n == 0 {
			if n != 0 || err == nil && len(b) >= MaxHeader {
				t.Fatalf("%d bytes of %x, %v", n, b, err)
			}
			return
		}
		again := AppendHeader(nil, h.Opcode, h.Length)
		if !h.Final {
			again[0] &= 0x7F
		}
		if h.Masked {
			again[1] |= 0x80
			again = append(again, h.Key[:]...)
		}
		if !bytes.Equal(again, b[:n]) {
			t.Fatalf("%x is %+v, which is %x", b[:n], h, again)
		}
	})
}

func FuzzClose(f *testing.F) {
	for _, payload := range []string{"", "\x03", "\x03\xE8", "\x03\xE8bye", "\x03\xED", "\x03\xE8\xFF"} {
		f.Add([]byte(payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		code, reason, err := ParseClose(payload)
		if err != nil || len(payload) > 125 {
			return
		}
		if again := AppendClose(nil, code, reason); !bytes.Equal(again, payload) {
			t.Fatalf("%x is %d %q, which is %x", payload, code, reason, again)
		}
	})
}

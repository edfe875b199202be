package websocket

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkMask(b *testing.B) {
	for _, n := range []int{300, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			data := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				Mask(data, testKey)
			}
		})
	}
}

// BenchmarkRead reads messages of 300 bytes; an operation is one message. The
// key is zero, so that what was unmasked in place can be read again.
func BenchmarkRead(b *testing.B) {
	const messages = 200
	frame := AppendMasked(nil, Text, [4]byte{}, make([]byte, 300))
	nothing := func(Opcode, []byte) error { return nil }
	for name, data := range map[string][][]byte{
		"alone":    {frame},
		"together": {bytes.Repeat(frame, messages)},
		"in two":   {frame[:150], frame[150:]},
	} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for _, p := range data {
				n += len(p)
			}
			r := &Reader{Limit: testLimit}
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for done := 0; done < b.N; done += n / len(frame) {
				for _, p := range data {
					if err := r.Read(p, nothing); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

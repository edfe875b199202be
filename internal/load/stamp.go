package load

import (
	"bytes"
	"strings"
	"time"
)

// A stamp is what a message says of itself, so that whoever receives it knows
// how long it took and whether one is missing.
type stamp struct {
	sender uint32        // the connection that sent it
	number uint32        // how many it had sent before
	sent   time.Duration // when it was due, since the run began
}

// Where a stamp stands in a payload: {"stamp":"sender-number-sent","pad":"…"},
// three hexadecimal numbers of fixed width, so that a payload is made once and
// its stamp is written over.
const (
	stampMark  = `"stamp":"`
	stampWidth = 8 + 1 + 8 + 1 + 16
	stampStart = len(`{`) + len(stampMark)
	padMark    = `","pad":"`
)

// MinSize is the length in bytes of the shortest payload, one without padding.
const MinSize = stampStart + stampWidth + len(padMark) + len(`"}`)

// newPayload returns a JSON object of size bytes with room for a stamp.
func newPayload(size int) []byte {
	p := make([]byte, 0, size)
	p = append(p, `{`+stampMark...)
	p = append(p, strings.Repeat("0", stampWidth)...)
	p = append(p, padMark...)
	p = append(p, strings.Repeat("x", size-MinSize)...)
	return append(p, `"}`...)
}

// put writes the stamp into a payload that newPayload made.
func (s stamp) put(payload []byte) {
	b := payload[stampStart : stampStart+stampWidth]
	putHex(b[0:8], uint64(s.sender))
	b[8] = '-'
	putHex(b[9:17], uint64(s.number))
	b[17] = '-'
	putHex(b[18:34], uint64(s.sent))
}

// findStamp looks for a stamp in a message. It does not care for what is around
// it, because a server may have put the payload into an envelope of its own.
func findStamp(message []byte) (s stamp, ok bool) {
	at := bytes.Index(message, []byte(stampMark))
	if at < 0 || len(message) < at+len(stampMark)+stampWidth {
		return s, false
	}
	b := message[at+len(stampMark):][:stampWidth]
	sender, ok1 := hex(b[0:8])
	number, ok2 := hex(b[9:17])
	sent, ok3 := hex(b[18:34])
	ok = ok1 && ok2 && ok3 && b[8] == '-' && b[17] == '-'
	return stamp{uint32(sender), uint32(number), time.Duration(sent)}, ok
}

func putHex(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = "0123456789abcdef"[v&15]
		v >>= 4
	}
}

// hex reads at most 16 lower-case digits.
func hex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

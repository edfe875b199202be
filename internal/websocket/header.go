package websocket

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// MaxHeader is the length of the longest header in bytes.
const MaxHeader = 14

// A Header begins a frame. RFC 6455, section 5.2.
type Header struct {
	Final  bool
	Opcode Opcode
	Masked bool
	Key    [4]byte
	Length int // of the payload, in bytes
}

// ParseHeader reads a header from the start of b and returns how many bytes it
// took: 0 when b does not hold the whole of it yet. The error is a *CloseError.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	if b[0]&0x70 != 0 {
		return h, 0, &CloseError{CodeProtocol, "reserved bits are set"}
	}
	h.Final, h.Opcode = b[0]&0x80 != 0, Opcode(b[0]&0x0F)
	h.Masked, h.Length = b[1]&0x80 != 0, int(b[1]&0x7F)
	if h.Opcode > Binary && h.Opcode < Close || h.Opcode > Pong {
		return h, 0, &CloseError{CodeProtocol, "unknown opcode"}
	}
	if h.Opcode.Control() && (!h.Final || h.Length > 125) {
		return h, 0, &CloseError{CodeProtocol, "a control frame must be whole and short"}
	}
	n = 2
	switch h.Length {
	case 126:
		if len(b) < 4 {
			return h, 0, nil
		}
		h.Length, n = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return h, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long>>63 != 0 {
			return h, 0, &CloseError{CodeProtocol, "the length's first bit is set"}
		}
		if long > math.MaxInt32 {
			return h, 0, &CloseError{CodeTooBig, "frame is too big"}
		}
		h.Length, n = int(long), 10
	}
	if n == 4 && h.Length <= 125 || n == 10 && h.Length <= math.MaxUint16 {
		return h, 0, &CloseError{CodeProtocol, "a length is not in its shortest form"}
	}
	if h.Masked {
		if len(b) < n+4 {
			return h, 0, nil
		}
		copy(h.Key[:], b[n:])
		n += 4
	}
	return h, n, nil
}

// AppendHeader appends the header of a whole, unmasked frame with a payload of
// length bytes, as a server sends it.
func AppendHeader(dst []byte, op Opcode, length int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case length <= 125:
		return append(dst, byte(length))
	case length <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(length))
	}
}

// AppendFrame appends a whole, unmasked frame.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return append(AppendHeader(dst, op, len(payload)), payload...)
}

// AppendMasked appends a whole frame masked with key, as a client sends it.
func AppendMasked(dst []byte, op Opcode, key [4]byte, payload []byte) []byte {
	at := len(dst)
	dst = AppendHeader(dst, op, len(payload))
	dst[at+1] |= 0x80
	dst = append(dst, key[:]...)
	at = len(dst)
	dst = append(dst, payload...)
	Mask(dst[at:], key)
	return dst
}

// Mask masks b in place, or unmasks it: both are one. RFC 6455, section 5.3.
func Mask(b []byte, key [4]byte) {
	word := binary.LittleEndian.Uint32(key[:])
	wide := uint64(word)<<32 | uint64(word)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// AppendClose appends the payload of a close frame. A reason is cut to the 123
// bytes that there is room for, or fewer where a character would be cut in two:
// half of one is not UTF-8, and the peer would take it for a fault of ours.
func AppendClose(dst []byte, code int, reason string) []byte {
	if code == codeNoStatus {
		return dst
	}
	end := min(len(reason), 123)
	for end > 0 && end < len(reason) && !utf8.RuneStart(reason[end]) {
		end--
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason[:end]...)
}

// Room is how many bytes Seal needs in front of a payload.
const Room = 10

// Seal turns buf, Room bytes of any content and then a payload, into a whole
// unmasked frame without moving the payload. The frame aliases buf.
func Seal(op Opcode, buf []byte) []byte {
	var header [Room]byte
	h := AppendHeader(header[:0], op, len(buf)-Room)
	start := Room - len(h)
	copy(buf[start:], h)
	return buf[start:]
}

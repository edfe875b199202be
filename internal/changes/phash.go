package changes

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"strings"
)

// ID returns the number of an entry: equal for equal objects in whatever order
// their keys stand, below 2^27 and never zero, because clients take zero for no
// id. It is what the reference sends, Erlang's phash2 of the object, zero
// excepted. Raw must be a valid JSON object.
func ID(raw []byte) uint32 {
	var h termHash
	h.term(decodeTerm(raw))
	return max(1, uint32(h)&(1<<27-1))
}

// decodeTerm reads JSON as the values that the functions here know: nil, bool,
// json.Number, string, []any and map[string]any.
func decodeTerm(raw []byte) any {
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil
	}
	return v
}

// golden is the constant that Jenkins' hash begins with. Erlang tells the kinds
// of terms apart by its multiples.
const golden uint32 = 0x9e3779b9

// The multiples of golden by which kinds of terms are told apart.
const (
	saltInt      = 1
	saltNil      = 2
	saltAtom     = 3
	saltBytes    = 4 // of a list of small numbers, which in Erlang is a string
	saltNegative = 10
	saltPositive = 11
	saltFloat    = 12
	saltBinary   = 13
	saltMap      = 16
	saltPairs    = 19
)

// A termHash is the state of Erlang's phash2: Bob Jenkins' hash of 1996, fed
// with a term in depth-first order.
type termHash uint32

// mix stirs three words.
func mix(a, b, c uint32) (_, _, _ uint32) {
	a = (a - b - c) ^ c>>13
	b = (b - c - a) ^ a<<8
	c = (c - a - b) ^ b>>13
	a = (a - b - c) ^ c>>12
	b = (b - c - a) ^ a<<16
	c = (c - a - b) ^ b>>5
	a = (a - b - c) ^ c>>3
	b = (b - c - a) ^ a<<10
	c = (c - a - b) ^ b>>15
	return a, b, c
}

// words adds two words.
func (h *termHash) words(x, y, salt uint32) {
	_, _, c := mix(golden*salt+x, golden*salt+y, uint32(*h))
	*h = termHash(c)
}

func (h *termHash) term(v any) {
	switch v := v.(type) {
	case nil:
		h.atom("nil")
	case bool:
		if v {
			h.atom("true")
		} else {
			h.atom("false")
		}
	case json.Number:
		h.number(string(v))
	case string:
		h.binary(v)
	case []any:
		h.list(v)
	case map[string]any:
		h.mapping(v)
	}
}

// atom adds an atom by the hash that Erlang has used for names ever since.
func (h *termHash) atom(name string) {
	var sum uint32
	for i := range len(name) {
		sum = sum<<4 + uint32(name[i])
		if high := sum & 0xf0000000; high != 0 {
			sum ^= high>>24 ^ high
		}
	}
	if *h == 0 {
		*h = termHash(sum)
		return
	}
	h.words(sum, 0, saltAtom)
}

func (h *termHash) number(text string) {
	if strings.ContainsAny(text, ".eE") {
		f, _ := json.Number(text).Float64()
		if f == 0 {
			f = 0 // minus zero is zero
		}
		bits := math.Float64bits(f)
		h.words(uint32(bits>>32), uint32(bits), saltFloat)
		return
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return
	}
	if n.IsInt64() && n.Int64() >= -1<<27 && n.Int64() < 1<<27 {
		h.small(int32(n.Int64()))
		return
	}
	salt := uint32(saltPositive)
	if n.Sign() < 0 {
		salt = saltNegative
	}
	digits := n.Bytes() // of the absolute value, big end first
	for len(digits)%8 != 0 {
		digits = append([]byte{0}, digits...)
	}
	for ; len(digits) > 0; digits = digits[:len(digits)-8] {
		digit := binary.BigEndian.Uint64(digits[len(digits)-8:])
		h.words(uint32(digit), uint32(digit>>32), salt)
	}
}

// small adds a number of at most 28 bits; a negative one counts twice.
func (h *termHash) small(n int32) {
	if n < 0 {
		h.words(uint32(-n), 0, saltInt)
	}
	h.words(uint32(n), 0, saltInt)
}

func (h *termHash) binary(s string) {
	salt := uint32(saltBinary) // a variable, to wrap around
	start := golden*salt + uint32(*h)
	if s == "" {
		*h = termHash(start)
		return
	}
	a, b, c := golden, golden, start
	rest := []byte(s)
	for ; len(rest) >= 12; rest = rest[12:] {
		a, b, c = mix(a+binary.LittleEndian.Uint32(rest), b+binary.LittleEndian.Uint32(rest[4:]), c+binary.LittleEndian.Uint32(rest[8:]))
	}
	// The lowest byte of the last word is the length's.
	var last [12]byte
	copy(last[:8], rest)
	if len(rest) > 8 {
		copy(last[9:], rest[8:])
	}
	_, _, c = mix(a+binary.LittleEndian.Uint32(last[:]), b+binary.LittleEndian.Uint32(last[4:]),
		c+uint32(len(s))+binary.LittleEndian.Uint32(last[8:]))
	*h = termHash(c)
}

// list adds the elements and the end. Runs of bytes go in four at a time.
func (h *termHash) list(list []any) {
	for i := 0; i < len(list); {
		var word uint32
		n := 0
		for ; i < len(list); i++ {
			b, ok := smallByte(list[i])
			if !ok {
				break
			}
			word = word<<8 + b
			if n++; n%4 == 0 {
				h.words(word, 0, saltBytes)
				word = 0
			}
		}
		if n%4 != 0 {
			h.words(word, 0, saltBytes)
		}
		if i < len(list) {
			h.term(list[i])
			i++
		}
	}
	if *h == 0 {
		*h = 3468870702 // what the empty list alone is by definition
		return
	}
	h.words(2, 0, saltNil)
}

func smallByte(v any) (uint32, bool) {
	number, ok := v.(json.Number)
	if !ok || strings.ContainsAny(string(number), ".eE") {
		return 0, false
	}
	n, err := number.Int64()
	return uint32(n), err == nil && n >= 0 && n < 256
}

// mapping adds the pairs so that their order does not count.
func (h *termHash) mapping(m map[string]any) {
	var pairs termHash
	for key, value := range m {
		var pair termHash
		pair.term(key)
		pair.term(value)
		pairs ^= pair
	}
	h.pairs(len(m), pairs)
}

// pairs adds the number of a map's pairs and the sum of their hashes.
func (h *termHash) pairs(n int, sum termHash) {
	h.words(uint32(n), 0, saltMap)
	if n > 0 {
		h.words(uint32(sum), 0, saltPairs)
	}
}

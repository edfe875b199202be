package presence

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/tutti-realtime/tutti"
)

// An id stands for a topic between nodes: the first half of a SHA-256. Nobody
// finds two topics of one id, so names need not travel.
type id [16]byte

func idOf(t tutti.Topic) id {
	var room [256]byte
	b := append(room[:0], t.Tenant...)
	b = append(b, 0xFF) // no byte of UTF-8
	b = append(b, t.Name...)
	if t.Private {
		b = append(b, 0xFF)
	}
	if t.Bare {
		b = append(b, 0xFE)
	}
	sum := sha256.Sum256(b)
	return id(sum[:16])
}

// buckets is how many parts topics fall into when two nodes compare what they
// hold: with 100,000 topics a difference costs a list of 400.
const buckets = 256

func (i id) bucket() int { return int(i[0]) }

// sums is a fingerprint of a set in parts: the exclusive or of the hashes of
// what is in it. Members come and go at the cost of one hash.
type sums [buckets]uint64

// root returns one number for all of them.
func (s *sums) root() (h uint64) {
	for _, v := range s {
		h = mix(h ^ v)
	}
	return h
}

// hash returns what an id counts in sums.
func (i id) hash() uint64 {
	return mix(binary.LittleEndian.Uint64(i[:8]) ^ mix(binary.LittleEndian.Uint64(i[8:])))
}

// stamped returns what the entries of a node in a topic count in sums: nothing
// where there are none.
func (i id) stamped(s Stamp) uint64 {
	if s == (Stamp{}) {
		return 0
	}
	return mix(i.hash() ^ mix(s.Epoch^mix(s.Version)))
}

// mix spreads each bit over all 64: the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

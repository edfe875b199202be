package auth

import (
	"crypto/sha256"
	"runtime"
	"sync"
	"weak"
)

// A digest is what values are found by: it tells nothing about a secret, and is
// short however long the text was.
type digest = [sha256.Size]byte

// A shelf finds values again for as long as somebody else holds them, and not
// longer: it needs no bound and no clock. The zero value is empty.
type shelf[V any] struct {
	mu   sync.Mutex // guards held
	held map[digest]weak.Pointer[V]
}

// get returns the value, nil when nobody holds it any more.
func (s *shelf[V]) get(sum digest) *V {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[sum].Value()
}

// keep puts a value on the shelf and returns the one to use: of two that come
// at the same time, the first.
func (s *shelf[V]) keep(sum digest, v *V) *V {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.held[sum].Value(); first != nil {
		return first
	}
	if s.held == nil {
		s.held = make(map[digest]weak.Pointer[V])
	}
	p := weak.Make(v)
	s.held[sum] = p
	runtime.AddCleanup(v, s.drop, place[V]{sum: sum, pointer: p})
	return v
}

// A place is where a value stood. It does not keep the value alive.
type place[V any] struct {
	sum     digest
	pointer weak.Pointer[V]
}

// drop takes a dead value away, unless a new one stands in its place by now.
func (s *shelf[V]) drop(p place[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[p.sum] == p.pointer {
		delete(s.held, p.sum)
	}
}

// size counts the values, with dead ones that have not been taken away yet.
func (s *shelf[V]) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

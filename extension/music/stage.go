package music

import (
	"math/bits"
	"slices"
)

// A Stage knows which keys each player holds down, who is muted and who plays
// alone. What a Stage lets through is to be sent to the room in that order. Its
// zero value is ready.
type Stage struct {
	Rate Rate // of each player's notes; NoteRate if it is zero

	players map[string]*player
	muted   []string // in order; they stay when a player leaves and comes back
	solo    []string // in order
}

type player struct {
	held  [2]uint64 // a bit for each key
	notes Bucket
}

// Play lets a note of a player who is in the room through, or refuses it with a
// *Refusal. The room's leaders are heard also when somebody else plays alone. A
// key that goes up is always let through, when it was down: silence is never
// refused.
func (s *Stage) Play(who string, role Role, n Note, now Time) (heard bool, err error) {
	if n.Midi > maxMidi || n.Velocity > maxMidi {
		return false, refuse(BadPayload, "midi and velocity must be from 0 to %d", maxMidi)
	}
	if n.Velocity == 0 {
		p := s.players[who]
		return p != nil && p.release(n.Midi), nil
	}
	switch {
	case s.Muted(who):
		return false, refuse(Muted, "a teacher has muted you")
	case len(s.solo) > 0 && !contains(s.solo, who) && role < Assistant:
		return false, refuse(Muted, "somebody else plays alone now")
	}
	p := s.players[who]
	if p == nil {
		p = &player{}
		if s.players == nil {
			s.players = map[string]*player{}
		}
		s.players[who] = p
	}
	rate := s.Rate
	if rate == (Rate{}) {
		rate = NoteRate
	}
	if wait, ok := p.notes.Take(rate, now); !ok {
		r := refuse(TooManyNotes, "more than %d notes per second: the next is let through in %d ms",
			rate.PerSecond, (wait+Millisecond-1)/Millisecond)
		r.Retry = wait
		return false, r
	}
	p.held[n.Midi/64] |= 1 << (n.Midi % 64)
	return true, nil
}

// release takes a key up and reports whether it was down.
func (p *player) release(midi uint8) bool {
	bit := uint64(1) << (midi % 64)
	was := p.held[midi/64]&bit != 0
	p.held[midi/64] &^= bit
	return was
}

// Silence takes all keys of a player up and returns their notes off, lowest
// first.
func (s *Stage) Silence(who string, now Time) []Note {
	p := s.players[who]
	if p == nil {
		return nil
	}
	var off []Note
	for half, keys := range p.held {
		for ; keys != 0; keys &= keys - 1 {
			off = append(off, Note{Midi: uint8(64*half + bits.TrailingZeros64(keys)), At: now})
		}
	}
	p.held = [2]uint64{}
	return off
}

// Held returns how many keys a player holds down.
func (s *Stage) Held(who string) int {
	p := s.players[who]
	if p == nil {
		return 0
	}
	return bits.OnesCount64(p.held[0]) + bits.OnesCount64(p.held[1])
}

// Leave forgets a player who is gone and returns the notes off of all keys that
// stayed down. A player with two sockets leaves with the last. Who is muted stays
// muted.
func (s *Stage) Leave(who string, now Time) []Note {
	off := s.Silence(who, now)
	delete(s.players, who)
	s.solo = without(s.solo, who) // else the others would wait for somebody who is not there
	return off
}

// Mute silences a player, or lets the player be heard again. It returns the notes
// off of the keys that were down.
func (s *Stage) Mute(who string, on bool, now Time) []Note {
	s.muted = without(s.muted, who)
	if !on {
		return nil
	}
	s.muted = with(s.muted, who)
	return s.Silence(who, now)
}

// Solo has a player be heard alone, together with others who were told to, or no
// longer. It returns, by player, the notes off of those who are no longer heard;
// leads says who leads the room and is heard always.
func (s *Stage) Solo(who string, on bool, leads func(who string) bool, now Time) map[string][]Note {
	s.solo = without(s.solo, who)
	if on {
		s.solo = with(s.solo, who)
	}
	off := map[string][]Note{}
	for other := range s.players {
		if len(s.solo) > 0 && !contains(s.solo, other) && !leads(other) && s.Held(other) > 0 {
			off[other] = s.Silence(other, now)
		}
	}
	return off
}

// Muted reports whether a player is muted. It counts more than playing alone.
func (s *Stage) Muted(who string) bool { return contains(s.muted, who) }

// A Hearing is who is muted and who plays alone, for late joiners.
type Hearing struct {
	Muted []string `json:"muted"`
	Solo  []string `json:"solo"`
}

// Hearing returns a copy of who is muted and who plays alone.
func (s *Stage) Hearing() Hearing {
	return Hearing{append([]string{}, s.muted...), append([]string{}, s.solo...)}
}

// Restore sets who is muted and who plays alone, after another node did.
func (s *Stage) Restore(h Hearing) {
	s.muted = slices.Compact(slices.Sorted(slices.Values(h.Muted)))
	s.solo = slices.Compact(slices.Sorted(slices.Values(h.Solo)))
}

func contains(sorted []string, who string) bool {
	_, found := slices.BinarySearch(sorted, who)
	return found
}

func with(sorted []string, who string) []string {
	i, found := slices.BinarySearch(sorted, who)
	if found {
		return sorted
	}
	return slices.Insert(sorted, i, who)
}

func without(sorted []string, who string) []string {
	i, found := slices.BinarySearch(sorted, who)
	if !found {
		return sorted
	}
	return slices.Delete(sorted, i, i+1)
}

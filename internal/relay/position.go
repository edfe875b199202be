package relay

import (
	"errors"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// errMissing says that a part of a stream is not what follows on what came
// before.
var errMissing = errors.New("a part of a transaction is missing")

// A position is how far a node has taken a stream. It outlives owners, terms and
// connections.
type position struct {
	known  bool   // it has begun
	handed uint64 // end of the last transaction that was taken whole, or where it began
	passed uint64 // end of what holds nothing for us behind it
	// Of a transaction that was taken in part: where its commit is, and how many
	// changes.
	partly    uint64
	parts     int
	confirmed uint64 // by the reader
}

// begin starts anew at lsn. What committed before it is not taken.
func (p *position) begin(lsn uint64) {
	*p = position{known: true, handed: lsn, passed: lsn, confirmed: lsn}
}

// reach returns the end of what was taken.
func (p *position) reach() uint64 { return max(p.handed, p.passed) }

// start returns where somebody would begin who wants nothing that was taken, not
// even the rest of a transaction.
func (p *position) start() uint64 {
	if p.partly != 0 {
		return max(p.reach(), p.partly+1)
	}
	return p.reach()
}

// covers reports whether nothing is missing when a stream goes on at q.
func (p *position) covers(q *position) bool {
	if p.reach() < q.handed {
		return false
	}
	return q.partly == 0 || p.handed > q.partly || p.partly == q.partly && p.parts >= q.parts
}

// cut takes off a part what was taken before. offset is how many changes of the
// transaction come before the part. None is left when wanted is false.
func (p *position) cut(tx *tutti.Transaction, offset int) (wanted bool, err error) {
	if tx.CommitLSN < p.handed {
		return false, nil
	}
	had := 0
	if tx.CommitLSN == p.partly {
		had = p.parts
	}
	if offset > had {
		return false, errMissing
	}
	drop := min(had-offset, len(tx.Changes))
	tx.Changes = tx.Changes[drop:]
	return len(tx.Changes) > 0 || tx.EndLSN != 0 && had > 0, nil
}

// hand says that a transaction was taken up to so many changes. end is 0 unless
// it is over.
func (p *position) hand(commit, end uint64, changes int) {
	if end != 0 {
		p.handed, p.partly, p.parts = max(p.handed, end), 0, 0
		return
	}
	if commit >= p.handed && (commit != p.partly || changes > p.parts) {
		p.partly, p.parts = commit, changes
	}
}

// pass says that nothing for us lies before lsn but what was taken.
func (p *position) pass(lsn uint64) { p.passed = max(p.passed, lsn) }

// confirm says that the reader has dealt with all before lsn.
func (p *position) confirm(lsn uint64) { p.confirmed = max(p.confirmed, lsn) }

// flushed returns what need not be sent again.
func (p *position) flushed() uint64 {
	if p.confirmed >= p.handed {
		return p.reach()
	}
	return p.confirmed
}

// live takes note of where the slot stands that is read now.
func (s *Stream) live(l wal.Live) {
	s.mu.Lock()
	from := s.pos.reach()
	elsewhere := s.system != "" && s.system != l.System || from > l.End && l.End != 0
	lost := s.pos.known && (elsewhere || from < l.Since)
	if !s.pos.known || lost {
		s.pos.begin(l.Since)
	}
	s.changed()
	s.mu.Unlock()
	s.system = l.System
	if lost {
		s.hear(wal.Lost{From: from, To: l.Since})
	} else {
		l.Since = max(l.Since, from) // it may have begun behind where the slot stands
	}
	s.hear(l)
}

// lose takes note that the slot was gone.
func (s *Stream) lose(l wal.Lost) {
	s.mu.Lock()
	from := s.pos.reach()
	lost := s.pos.known && (from < l.To || l.To < l.From)
	if lost {
		s.pos.begin(l.To)
	}
	s.changed()
	s.mu.Unlock()
	if lost {
		s.hear(wal.Lost{From: from, To: l.To})
	}
}

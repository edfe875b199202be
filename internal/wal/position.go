package wal

import "sync"

// A position is how far a feed has come. It outlives connections.
type position struct {
	mu        sync.Mutex // guards what follows
	confirmed uint64     // by the owner
	handed    uint64     // end of the last transaction handed over whole; 0 before the first
	shared    bool       // what holds nothing for us must be confirmed as well
	passed    uint64     // end of what holds nothing for us behind handed
	reported  uint64     // what the server may forget, as far as we have told it
	written   uint64     // end of the server's log, as far as we have heard
	// Of a transaction that was handed over in part: where its commit is, and how
	// many changes.
	partly      uint64
	partChanges int
}

// begin starts at where a slot stands. Nothing before it comes again.
func (p *position) begin(lsn uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.confirmed, p.handed, p.passed, p.reported = 0, 0, 0, lsn
	p.written = lsn // another server's may have been further
	p.partly, p.partChanges = 0, 0
}

// resume goes on where a slot stands, and reports whether that leaves nothing
// out.
func (p *position) resume(lsn uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return lsn <= p.reported
}

// reached returns the end of what is known to be handed over.
func (p *position) reached() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.handed, p.reported)
}

func (p *position) confirm(lsn uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.confirmed = max(p.confirmed, lsn)
}

// pass says that nothing for us lies before lsn but what was handed over.
func (p *position) pass(lsn uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed = max(p.passed, lsn)
}

func (p *position) share(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared = yes
}

// silent returns the end of what holds nothing for us but what was handed over.
func (p *position) silent() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// hear takes note of the end of the server's log.
func (p *position) hear(written uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = max(p.written, written)
}

// lag returns how many bytes of log the server keeps for us, as far as we know.
func (p *position) lag() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reported == 0 || p.written < p.reported {
		return 0
	}
	return p.written - p.reported
}

// progress returns something that is another when something was handed over.
func (p *position) progress() [3]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return [...]uint64{p.handed, p.partly, uint64(p.partChanges)}
}

// skip returns whether a transaction was handed over whole, else how many of its
// changes were.
func (p *position) skip(commitLSN uint64) (whole bool, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if commitLSN < p.handed {
		return true, 0
	}
	if commitLSN == p.partly {
		return false, p.partChanges
	}
	return false, 0
}

// hand says that a part of a transaction was handed over. end is 0 unless it was
// the last part.
func (p *position) hand(commitLSN, end uint64, changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if end != 0 {
		p.handed, p.partly, p.partChanges = end, 0, 0
		return
	}
	p.partly, p.partChanges = commitLSN, changes
}

// flushed returns what the server may forget: what the owner has confirmed, but
// nothing that he was not given; and when he has confirmed all that he was
// given, what came behind it and held nothing for him. Without the latter, a
// database that writes much elsewhere would keep all of its log for us. It never
// goes back, because servers before 18 would.
func (p *position) flushed() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	lsn := min(p.confirmed, p.handed)
	switch {
	case p.shared:
		lsn = min(p.confirmed, max(p.handed, p.passed))
	case lsn == p.handed:
		lsn = max(lsn, p.passed)
	}
	p.reported = max(p.reported, lsn)
	return p.reported
}

package cluster

import (
	"context"
	"errors"
	"sync"
)

var errFull = errors.New("too much waits to be sent to other nodes")

// An outbox is what waits to be sent. It never blocks those who put into it.
type outbox struct {
	bell chan struct{}

	mu      sync.Mutex // guards all below
	urgent  line       // of members and leases: a flood does not make a node look dead
	waiting line
	bytes   int
	limit   int
	skipped map[uint32]uint64 // by bucket: how many had no room
	closed  bool
}

// parcelWords is what a parcel weighs besides its payload, by and large.
const parcelWords = 200

func (p *parcel) weight() int { return len(p.message.Payload) + parcelWords }

// batch is how many parcels are sent before the outbox is looked at again.
const batch = 256

// put adds a parcel. What nodes tell each other about members and leases always
// finds room: it is little, and without it the cluster falls apart.
func (o *outbox) put(p parcel, bucket uint32) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := p.weight()
	switch {
	case o.closed:
		return errStopped
	case o.bytes+size > o.limit && p.kind < kindBeat:
		if p.kind < kindTell {
			if o.skipped == nil {
				o.skipped = make(map[uint32]uint64)
			}
			o.skipped[bucket]++
		}
		return errFull
	}
	if p.kind >= kindBeat {
		o.urgent.put(p)
	} else {
		o.waiting.put(p)
	}
	o.bytes += size
	select {
	case o.bell <- struct{}{}:
	default:
	}
	return nil
}

// take waits for parcels and puts some of them, the urgent ones first, into the
// room of those that the caller has sent. It returns nothing when the outbox is
// closed and empty, or ctx has ended.
func (o *outbox) take(ctx context.Context, sent []parcel) (taken []parcel, skipped map[uint32]uint64) {
	clear(sent)
	for {
		o.mu.Lock()
		taken = o.urgent.move(sent[:0])
		taken = o.waiting.move(taken)
		for i := range taken {
			o.bytes -= taken[i].weight()
		}
		skipped, o.skipped = o.skipped, nil
		closed := o.closed
		o.mu.Unlock()
		if len(taken) > 0 || closed {
			return taken, skipped
		}
		select {
		case <-o.bell:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// A line is parcels, the first of which goes first.
type line struct {
	parcels []parcel
	first   int
}

// move appends parcels to dst until it is a batch.
func (l *line) move(dst []parcel) []parcel {
	n := min(len(l.parcels)-l.first, batch-len(dst))
	if n <= 0 {
		return dst
	}
	part := l.parcels[l.first : l.first+n]
	dst = append(dst, part...)
	clear(part)
	if l.first += n; l.first == len(l.parcels) {
		l.parcels, l.first = l.parcels[:0], 0
		if cap(l.parcels) > 64*batch {
			l.parcels = nil // it was a flood
		}
	}
	return dst
}

// put appends a parcel, in the room of those that have left when that is most.
func (l *line) put(p parcel) {
	if len(l.parcels) == cap(l.parcels) && l.first > len(l.parcels)/2 {
		n := copy(l.parcels, l.parcels[l.first:])
		clear(l.parcels[n:])
		l.parcels, l.first = l.parcels[:n], 0
	}
	l.parcels = append(l.parcels, p)
}

// close makes take end when all has been taken.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	select {
	case o.bell <- struct{}{}:
	default:
	}
}

package cluster

import "time"

// newDesk returns a desk without its functions.
func newDesk(id string, epoch uint64, p pace, quorum int) *desk {
	return &desk{
		roll: roll{
			self: id, epoch: epoch, pace: p,
			peers: map[string]*peer{}, left: map[string]uint64{},
		},
		tag: tagOf(id, epoch), quorum: quorum,
		records: map[string]*record{}, bids: map[string]*bid{}, tenures: map[string]*tenure{},
	}
}

// handle takes a message of another node that is about members or leases.
func (d *desk) handle(now time.Duration, id string, epoch uint64, k kind, payload []byte) {
	d.begin(now)
	p := d.hear(now, id, epoch)
	if p == nil {
		return
	}
	switch k {
	case kindBeat:
		d.beat(now, p, payload)
	case kindAck:
		if d.ack(now, p, payload) {
			d.anew(p)
		}
	case kindLeave:
		d.leave(p)
		d.due = 0
	case kindLease:
		if m, err := decodeLease(payload); err == nil {
			d.receive(now, p, &m)
		}
	}
}

// goodbye gives all leases up and tells the others that this node goes.
func (d *desk) goodbye(now time.Duration) {
	for name, b := range d.bids {
		d.withdraw(b)
		delete(d.bids, name)
	}
	for name := range d.tenures {
		d.lose(now, name)
	}
	d.post("", kindLeave, nil)
}

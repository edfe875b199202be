package cluster

import (
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"
)

// A pace is the times of the protocol of members and leases. All follow from
// how long a silent node is taken to be alive.
type pace struct {
	lost   time.Duration // a node that is silent for so long is lost
	beat   time.Duration // between heartbeats
	deaf   time.Duration // so long unheard, it has no say in who gets a lease
	hold   time.Duration // so long after a beat that was heard an owner may act
	fresh  time.Duration // heard within this, a node is surely running
	round  time.Duration // so long a candidate's grants are good
	again  time.Duration // until a question without an answer is asked again
	pause  time.Duration // ticks that far apart mean that the node stood still
	settle time.Duration // a node that starts listens for so long, or for deaf when nobody is there that knows more
}

// newPace keeps 20 % of lost between the end of an owner's right (hold) and the
// moment from which others may follow it (deaf): so much may clocks differ in
// speed, and so long may it take to cancel a context.
func newPace(lost time.Duration) pace {
	return pace{
		// The loss is noticed a tick later, and told within the whole.
		lost: lost * 95 / 100, beat: lost / 5, deaf: lost * 8 / 10, hold: lost * 6 / 10, fresh: lost * 3 / 10,
		round: lost * 4 / 10, again: lost / 25, pause: lost / 5, settle: lost * 3 / 10,
	}
}

// tick returns how often the protocol looks at its clock.
func (p pace) tick() time.Duration { return p.beat / 10 }

// never is before all times.
const never = -1 << 62

// A peer is another node, as this one knows it.
type peer struct {
	id     string
	epoch  uint64
	key    uint64 // stands for id and epoch
	info   []byte // of its last beat, nil before the first
	member Member

	aged bool // it knows who has what

	met     time.Duration
	heard   time.Duration // the last of anything
	acked   time.Duration // when our latest beat that it confirmed was sent
	rtt     time.Duration
	deaf    bool   // it was silent so long that it has no say
	session uint64 // how often we took it up
	theirs  uint64 // how often it took us up

	untold  map[string]struct{} // leases of ours that it does not know of
	claimed time.Duration       // when it was told last
	chunk   uint64
	telling []string // the leases of that chunk
}

// A happening is a change of the roll.
type happening struct {
	kind   EventKind
	member Member
}

// A roll is who is in the cluster, as one node hears it. It knows no clock and
// starts nothing: now is what it is told, in time since the node began.
type roll struct {
	self  string
	epoch uint64
	pace  pace
	post  func(to string, k kind, payload []byte) // to "" is all others

	peers    map[string]*peer
	left     map[string]uint64 // epochs of nodes that said goodbye
	sessions uint64
	seq      uint64
	sent     [16]time.Duration // when the latest beats were sent
	lastBeat time.Duration
	info     func() []byte
	happened []happening
}

// hear notes that a node is there. It returns nil for one that is not to be
// listened to: this very node, or an earlier life of a node.
func (r *roll) hear(now time.Duration, id string, epoch uint64) *peer {
	if id == r.self || epoch <= r.left[id] {
		return nil
	}
	p := r.peers[id]
	if p != nil && epoch < p.epoch {
		return nil
	}
	if p != nil && epoch > p.epoch {
		r.forget(p, Left)
		p = nil
	}
	if p == nil {
		p = &peer{id: id, epoch: epoch, key: keyOf(id, epoch), met: now, heard: now, acked: never, deaf: true}
		r.peers[id] = p
	}
	if p.deaf || now-p.heard > r.pace.deaf {
		r.sessions++
		p.deaf, p.session = false, r.sessions
	}
	p.heard = now
	return p
}

// beat handles a heartbeat: it is confirmed to its sender.
func (r *roll) beat(now time.Duration, p *peer, payload []byte) {
	in := reader{rest: payload}
	seq, aged := in.number(), in.number()
	info := in.bytes()
	if in.err != nil {
		return
	}
	member, err := decodeMember(info)
	if err != nil {
		return
	}
	member.ID, member.Epoch = p.id, p.epoch
	p.aged = aged != 0
	first := p.info == nil
	p.info, p.member = info, member
	if first {
		r.happened = append(r.happened, happening{Joined, member})
	}
	r.post(p.id, kindAck, appendNumbers(nil, seq, p.session))
	if first && now-r.lastBeat > r.pace.again {
		r.say(now) // so that it need not wait to know us
	}
}

// ack handles the confirmation of a beat. It reports whether the peer has taken
// this node up anew since the last one.
func (r *roll) ack(now time.Duration, p *peer, payload []byte) (anew bool) {
	in := reader{rest: payload}
	seq, session := in.number(), in.number()
	if in.err != nil || seq > r.seq || r.seq-seq >= uint64(len(r.sent)) {
		return false
	}
	if session < p.theirs {
		return false // of a time before it took us up anew
	}
	at := r.sent[seq%uint64(len(r.sent))]
	if at >= p.acked {
		p.acked, p.rtt = at, now-at
	}
	anew = session != p.theirs
	p.theirs = session
	return anew
}

// say sends a heartbeat.
func (r *roll) say(now time.Duration) {
	r.seq++
	r.lastBeat = now
	r.sent[r.seq%uint64(len(r.sent))] = now
	aged := uint64(0)
	if now >= r.pace.deaf {
		aged = 1
	}
	r.post("", kindBeat, appendBytes(appendNumbers(nil, r.seq, aged), r.info()))
}

// tick sends what is due and notes who has fallen silent. It reports whether
// somebody lost their say.
func (r *roll) tick(now time.Duration) (fewer bool) {
	if now-r.lastBeat >= r.pace.beat || r.seq == 0 {
		r.say(now)
	}
	for _, id := range slices.Sorted(maps.Keys(r.peers)) {
		p := r.peers[id]
		switch silent := now - p.heard; {
		case silent > r.pace.lost:
			fewer = true
			r.forget(p, Lost)
		case silent > r.pace.deaf && !p.deaf:
			fewer = true
			p.deaf = true
		}
	}
	return fewer
}

// resume is called when this node stood still: it cannot know who fell silent
// meanwhile, and gives all of them time to be heard.
func (r *roll) resume(now time.Duration) {
	for _, p := range r.peers {
		if !p.deaf {
			p.heard = now
		}
	}
}

// leave handles a goodbye.
func (r *roll) leave(p *peer) {
	r.left[p.id] = p.epoch
	r.forget(p, Left)
}

func (r *roll) forget(p *peer, how EventKind) {
	delete(r.peers, p.id)
	if p.info != nil {
		r.happened = append(r.happened, happening{how, p.member})
	}
}

// view returns those that have a say, by name: all that are heard. Those that
// are heard and confirm nothing are passed over when most are well, so that one
// sick node does not keep the others from having leases.
func (r *roll) view(now time.Duration) []*peer {
	var all, well []*peer
	for _, p := range r.peers {
		if p.deaf {
			continue
		}
		all = append(all, p)
		if now-max(p.acked, p.met) <= r.pace.deaf {
			well = append(well, p)
		}
	}
	if 2*(len(well)+1) > len(all)+1 {
		all = well
	}
	slices.SortFunc(all, func(a, b *peer) int { return strings.Compare(a.id, b.id) })
	return all
}

// settled reports whether this node knows enough to ask for a lease. An owner
// that stands still may act for less than deaf when it goes on, and a node that
// is new has never heard of it, unless from one that is not new.
func (r *roll) settled(now time.Duration) bool {
	if now < r.pace.settle || now >= r.pace.deaf {
		return now >= r.pace.deaf
	}
	for _, p := range r.peers {
		if p.aged && !p.deaf {
			return true
		}
	}
	return false
}

// shunned reports whether a node is surely running, and no node hears this one.
// That others hear it is enough: they refuse whoever does not.
func (r *roll) shunned(now time.Duration) bool {
	running := false
	for _, p := range r.peers {
		if now-max(p.acked, p.met) <= r.pace.hold {
			return false
		}
		running = running || !p.deaf && now-p.heard <= r.pace.fresh
	}
	return running
}

// keyOf returns a number that stands for one life of a node.
func keyOf(id string, epoch uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(appendNumbers([]byte(id), epoch))
	return h.Sum64()
}

package extend

import (
	"hash/fnv"
	"sync"
	"time"
)

// A room whose members are all on one node has no followers, and would begin anew
// when that node is lost: so may a small class be by chance, or a large one after the
// other nodes were restarted. Such a room has a spare, another node that is given what
// was kept and does nothing with it until it is asked.

// peers are the other nodes that were heard.
type peers struct {
	mu    sync.Mutex // guards all below; taken under a room's, never the other way
	heard map[string]time.Time
}

// recent is for how long a node that was heard counts as there. Each answers every beat.
const recent = 5 * beat

// met notes that a node was heard.
func (p *peers) met(node string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard == nil {
		p.heard = map[string]time.Time{}
	}
	p.heard[node] = now
}

// lost forgets a node.
func (p *peers) lost(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.heard, node)
}

// spare returns the node that is to be given what a room keeps, by the name of its
// lease; "" when no other is there. It is the same for all owners that hear the same
// nodes, and rooms spread over them.
func (p *peers) spare(lease string, now time.Time) (best string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var most uint64
	for node, heard := range p.heard {
		if now.Sub(heard) > recent {
			continue
		}
		if n := weigh(node + "\x00" + lease); best == "" || n > most || n == most && node > best {
			best, most = node, n
		}
	}
	return best
}

// weigh returns a number that stands for a text.
func weigh(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // it cannot fail
	n := h.Sum64()
	// What differs in few bytes of a text differs in few bits of that.
	n = (n ^ n>>32) * 0x9E3779B97F4A7C15
	return (n ^ n>>32) * 0x9E3779B97F4A7C15
}

// copyKept gives what was kept to the followers, or to the spare of a room that has
// none, to be remembered for a while. The lock is held.
func (t *tenure) copyKept(remember time.Duration) {
	r := t.room
	t.stale, t.copied = false, time.Now()
	if t.restore.term == 0 {
		return
	}
	message := func() []byte { return appendKept(r.message(msgKeep, t.term), &t.restore, remember) }
	for node := range t.nodes {
		t.stale = !r.tell(node, message()) || t.stale
	}
	t.spare = ""
	if len(t.nodes) > 0 {
		return
	}
	if t.spare = r.host.peers.spare(r.lease, t.copied); t.spare != "" {
		t.stale = !r.tell(t.spare, message())
	}
}

// memory is how long others remember what was kept after they last heard of it, while
// the room lives: at least until an owner that is lost has been missed. It is told
// again before that.
func (t *tenure) memory() time.Duration { return max(t.linger, 2*recent) }

// remind gives what was kept to whoever may not have it: a copy was not sent, another
// node is the spare now, or a copy is about to be forgotten. The lock is held.
func (t *tenure) remind(now time.Time) {
	const part = 3 // of its memory: two reminders may be lost
	r := t.room
	another := len(t.nodes) == 0 && r.host.peers.spare(r.lease, now) != t.spare
	if t.stale || another || now.Sub(t.copied) >= min(t.memory()/part, lastReminder) {
		t.copyKept(t.memory())
	}
}

// lastReminder bounds how long a copy that was lost on its way is missing.
const lastReminder = time.Minute

package extend

import "fmt"

// dump says what nodes know, for a test that fails.
func (w *web) dump() (s string) {
	for _, n := range w.nodes {
		for _, r := range n.host.all() {
			r.mu.Lock()
			s += fmt.Sprintf("%s dead=%v running=%v owner=%q term=%d seq=%d guests=%d", n.name, n.dead, r.running, r.owner, r.term, r.seq%1000000, len(r.guests))
			for _, g := range r.inOrder() {
				s += " " + g.member.Key
			}
			if t := r.tenure; t != nil {
				s += fmt.Sprintf(" TENURE %d members=%d known=%d queue=%d current=%v failures=%d", t.term, len(t.members), len(t.known), len(t.queue), t.current != nil, t.failures)
				for name, f := range t.nodes {
					s += fmt.Sprintf(" [%s known=%v seq=%d]", name, f.known, f.seq%1000000)
				}
				for _, m := range t.members {
					s += fmt.Sprintf(" %s/%s/%v", m.data.Key, m.node, m.known)
				}
			}
			s += "\n"
			r.mu.Unlock()
		}
	}
	return s
}

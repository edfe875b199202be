package presence

import "github.com/tutti-realtime/tutti"

// Entries returns how many are present in a topic, as far as this node knows: on
// all nodes, where it has listeners.
func (r *Roster) Entries(t tutti.Topic) int {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if pl := s.topics[t]; pl != nil {
		return pl.Len()
	}
	return 0
}

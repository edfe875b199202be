package load

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// crowd is the presence scenario: all members of one room are tracked, change
// what they track, and are untracked, and every member must see every change.
type crowd struct {
	runner  *runner
	round   int        // the step: 1 tracks, 2 updates, 3 untracks
	seen    [][]uint64 // by member: a bit for each other whose change it saw
	members []*conn    // those who had joined when the step began
	taking  []bool     // by connection: it is one of these
	changed time.Duration
	missing int
	took    Histogram
}

func newCrowd(r *runner) *crowd {
	return &crowd{runner: r, seen: make([][]uint64, len(r.conns)), taking: make([]bool, len(r.conns))}
}

func (s *crowd) join(id int) (topic, payload []byte) {
	return s.runner.roomJoin(0, "m"+strconv.Itoa(id))
}

func (s *crowd) play(ctx context.Context, report *Report) error {
	return s.runner.measure(report, func() {
		for i, name := range []string{"track", "update", "untrack"} {
			if ctx.Err() == nil {
				s.round = i + 1
				report.Steps = append(report.Steps, s.step(ctx, name))
			}
		}
	})
}

// step lets every member make one change, and waits until all have seen all.
func (s *crowd) step(ctx context.Context, name string) Step {
	r := s.runner
	s.begin()
	payload := fmt.Appendf(nil, `{"type":"presence","event":"track","payload":{"round":%d}}`, s.round)
	if s.round == 3 {
		payload = []byte(`{"type":"presence","event":"untrack"}`)
	}
	topic := r.appendTopic(nil, 0)
	s.changed = r.now()
	for _, c := range s.members {
		r.push(c, topic, phoenix.EventPresence, payload)
	}
	r.pump(ctx, s.changed+r.settings.Duration, func(now time.Duration) (time.Duration, bool) {
		return now + glance, s.missing == 0
	})
	return Step{Name: name, Seconds: (r.now() - s.changed).Seconds(), Missing: s.missing, Seen: s.took.Spread()}
}

func (s *crowd) begin() {
	s.took, s.members = Histogram{}, s.members[:0]
	for i, c := range s.runner.conns {
		s.taking[i] = c.state == joined
		if s.taking[i] {
			s.members = append(s.members, c)
			s.seen[i] = make([]uint64, (len(s.runner.conns)+63)/64)
		}
	}
	s.missing = len(s.members) * len(s.members) // each sees itself, too
}

// marks of the two presence events in a frame of either version.
var (
	stateMark = []byte(`"` + phoenix.EventPresenceState + `"`)
	diffMark  = []byte(`"` + phoenix.EventPresenceDiff + `"`)
)

func (s *crowd) receive(c *conn, m message) bool {
	if !bytes.Contains(m.data, stateMark) && !bytes.Contains(m.data, diffMark) {
		return false
	}
	f, err := phoenix.DecodeServer(s.runner.settings.version(), m.text, m.data)
	if err != nil || f.Event != phoenix.EventPresenceState && f.Event != phoenix.EventPresenceDiff {
		return false
	}
	there, gone := f.Payload, []byte(nil)
	if f.Event == phoenix.EventPresenceDiff {
		there, _ = phoenix.Lookup(f.Payload, "joins")
		gone, _ = phoenix.Lookup(f.Payload, "leaves")
	}
	if s.round < 3 {
		for key, value := range phoenix.Members(there) {
			if roundOf(value) == s.round {
				s.see(c, key, m.at)
			}
		}
		return true
	}
	for key := range phoenix.Members(gone) {
		s.see(c, key, m.at)
	}
	return true
}

// roundOf returns the step in which the last meta of a member was tracked, or 0.
func roundOf(member []byte) (round int) {
	metas, _ := phoenix.Lookup(member, "metas")
	for meta := range phoenix.Elements(metas) {
		raw, _ := phoenix.Lookup(meta, "round")
		round, _ = strconv.Atoi(string(raw))
	}
	return round
}

// see notes that c saw the change of the member with a key.
func (s *crowd) see(c *conn, key string, at time.Duration) {
	number, ours := strings.CutPrefix(key, "m")
	other, err := strconv.Atoi(number)
	if !ours || err != nil || other < 0 || other >= len(s.taking) || !s.taking[other] || !s.taking[c.id] {
		return
	}
	word, bit := other/64, uint64(1)<<(other%64)
	if s.seen[c.id][word]&bit != 0 {
		return
	}
	s.seen[c.id][word] |= bit
	s.missing--
	s.runner.progress.deliveries++
	s.took.Add(at - s.changed)
}

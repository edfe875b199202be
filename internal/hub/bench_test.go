package hub

import (
	"testing"

	"github.com/tutti-realtime/tutti"
)

// crowd is how many listen to one topic in these benchmarks.
const crowd = 15_000

// fill joins a crowd to one topic of a shard.
func fill(s *Shard) []listener {
	all := make([]listener, crowd)
	for i := range all {
		s.Join(topic("room"), &all[i].seat, &all[i])
	}
	return all
}

// BenchmarkJoinLeave is one join and one leave of a crowded topic.
func BenchmarkJoinLeave(b *testing.B) {
	h, _ := newTestHub(1)
	s := h.Shard(0)
	fill(s)
	var l listener
	b.ReportAllocs()
	for b.Loop() {
		s.Join(topic("room"), &l.seat, &l)
		s.Leave(&l.seat)
	}
}

// BenchmarkMassJoin is a crowd that joins and leaves; the figure to look at is
// that for one listener.
func BenchmarkMassJoin(b *testing.B) {
	h, _ := newTestHub(1)
	s := h.Shard(0)
	for b.Loop() {
		all := fill(s)
		for i := range all {
			s.Leave(&all[i].seat)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowd, "ns/listener")
}

// BenchmarkShardDeliver is one message to a crowd.
func BenchmarkShardDeliver(b *testing.B) {
	h, _ := newTestHub(1)
	s := h.Shard(0)
	fill(s)
	m := &Message{Message: tutti.Message{Topic: topic("room")}}
	b.ReportAllocs()
	for b.Loop() {
		s.Deliver(m)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowd, "ns/listener")
}

// nowhere is a loop that drops everything.
type nowhere struct{}

func (nowhere) Post(int, int, func()) bool { return false }

func (nowhere) Enqueue(*Message) {}

// BenchmarkHubDeliver finds the loops of a message, two of them.
func BenchmarkHubDeliver(b *testing.B) {
	h := New([]Loop{nowhere{}, nowhere{}})
	for i := range 2 {
		l := &listener{}
		h.Shard(i).Join(topic("room"), &l.seat, l)
	}
	for name, to := range map[string]string{"heard": "room", "unheard": "nowhere"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Deliver(tutti.Message{Topic: topic(to)})
			}
		})
	}
}

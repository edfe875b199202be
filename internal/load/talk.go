package load

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// talk is the scenario of fanout and rooms: rooms of equal size, in which one
// member or all send, and all others receive.
type talk struct {
	runner  *runner
	size    int      // members of a room; the first is number 0
	talkers int      // of these, the first so many send
	order   []int    // who sends after whom
	windows []window // by receiver, then by sender in its room

	payload  []byte
	sent     []uint32 // by connection
	audience []int    // by room: how many were joined when the sending began
	hearing  []bool   // by connection: it is one of these
	result   Messages
	latency  Histogram
}

// maxHeld is how many bytes may wait for the server before its sender pauses.
const maxHeld = 1 << 20

func newTalk(r *runner) *talk {
	s := r.settings
	t := &talk{runner: r, size: s.Members, talkers: s.Members, payload: newPayload(s.Size)}
	if s.Kind == Fanout {
		t.size, t.talkers = s.total(), 1
	}
	n := len(r.conns)
	t.windows = make([]window, n*t.talkers)
	t.sent, t.hearing, t.audience = make([]uint32, n), make([]bool, n), make([]int, n/t.size)
	for id := range n {
		if id%t.size < t.talkers {
			t.order = append(t.order, id)
		}
	}
	// Shuffled, so that the members of a room do not all speak in one moment.
	rand.Shuffle(len(t.order), func(i, j int) { t.order[i], t.order[j] = t.order[j], t.order[i] })
	return t
}

func (t *talk) join(id int) (topic, payload []byte) { return t.runner.roomJoin(id/t.size, "") }

func (t *talk) receive(c *conn, m message) bool {
	s, ok := findStamp(m.data)
	if !ok {
		return false
	}
	sender := int(s.sender)
	if sender >= len(t.sent) || sender == c.id || sender/t.size != c.id/t.size || sender%t.size >= t.talkers || s.number >= t.sent[sender] {
		t.result.Strays++
		return true
	}
	switch t.windows[c.id*t.talkers+sender%t.size].see(s.number) {
	case again:
		t.result.Duplicates++
		return true
	case late:
		t.result.Reordered++
	}
	if t.hearing[c.id] {
		t.result.Deliveries++
		t.runner.progress.deliveries++
		t.latency.Add(m.at - s.sent)
	}
	return true
}

func (t *talk) play(ctx context.Context, report *Report) error {
	for _, c := range t.runner.conns {
		if c.state == joined {
			t.hearing[c.id] = true
			t.audience[c.id/t.size]++
		}
	}
	r := t.runner
	err := r.measure(report, func() {
		start := r.now()
		r.pump(ctx, start+r.settings.Duration, t.schedule(start))
		report.Seconds = (r.now() - start).Seconds()
		t.result.PerSecond = float64(t.result.Deliveries) / report.Seconds
		t.drain(ctx)
	})
	t.result.Lost = t.result.Expected - t.result.Deliveries
	t.result.Latency = t.latency.Spread()
	report.Messages = &t.result
	return err
}

// schedule returns the plan of who sends when: bursts at equal distances, one
// sender after the other. It is late rather than slower than it should be: the
// latency of a message counts from when it was due.
func (t *talk) schedule(start time.Duration) plan {
	s := t.runner.settings
	bursts := s.Rate * float64(len(t.order)) / float64(s.Burst) // a second
	due := func(i int) time.Duration { return start + time.Duration(float64(i)/bursts*float64(time.Second)) }
	i := 0
	return func(now time.Duration) (time.Duration, bool) {
		for ; due(i) <= now; i++ {
			t.runner.late.Add(now - due(i))
			t.send(t.runner.conns[t.order[i%len(t.order)]], due(i))
			if i%64 == 63 {
				i++
				break // read in between, if much is due
			}
		}
		return due(i), false
	}
}

// send sends a burst of messages.
func (t *talk) send(c *conn, due time.Duration) {
	burst := t.runner.settings.Burst
	if !t.hearing[c.id] || c.state != joined || c.wire.held() > maxHeld {
		t.result.HeldBack += burst
		return
	}
	r := t.runner
	r.framed = r.framed[:0]
	for range burst {
		stamp{uint32(c.id), t.sent[c.id], due}.put(t.payload)
		t.sent[c.id]++
		r.scratch = t.broadcast(c, r.scratch[:0])
		op := websocket.Binary
		if t.asText() {
			op = websocket.Text
		}
		r.framed = websocket.AppendMasked(r.framed, op, mask(), r.scratch)
	}
	c.wire.write(r.framed)
	t.result.Sent += burst
	t.result.Expected += burst * (t.audience[c.id/t.size] - 1)
}

func (t *talk) asText() bool {
	return t.runner.settings.Text || t.runner.settings.version() == phoenix.V1
}

// broadcast appends the payload as a message of the connection.
func (t *talk) broadcast(c *conn, dst []byte) []byte {
	c.ref++
	var topic, ref [64]byte
	f := phoenix.Frame{
		JoinRef: phoenix.Ref(joinRef), Ref: strconv.AppendQuote(ref[:0], strconv.Itoa(c.ref)),
		Topic: t.runner.appendTopic(topic[:0], c.id/t.size), Event: phoenix.EventBroadcast,
	}
	if !t.asText() {
		f.UserEvent, f.Encoding, f.Payload = userEvent, phoenix.EncodingJSON, t.payload
		dst, _ = phoenix.AppendUserBroadcast(dst, &f) // our fields are short
		return dst
	}
	f.Payload = append(f.Payload, `{"type":"broadcast","event":"`+userEvent+`","payload":`...)
	f.Payload = append(append(f.Payload, t.payload...), '}')
	return phoenix.AppendClient(dst, t.runner.settings.version(), &f)
}

// drain waits for the deliveries that are still on their way, as long as some
// come. After an interruption it waits only a moment, so that what is on its way
// does not look lost.
func (t *talk) drain(ctx context.Context) {
	r := t.runner
	longest := patience
	if ctx.Err() != nil {
		longest = quiet / 2
	}
	last, count := r.now(), t.result.Deliveries
	r.pump(context.WithoutCancel(ctx), r.now()+longest, func(now time.Duration) (time.Duration, bool) {
		if t.result.Deliveries > count {
			last, count = now, t.result.Deliveries
		}
		finished := t.result.Deliveries >= t.result.Expected || now-last > quiet
		return now + glance, finished
	})
}

// quiet is the silence after which deliveries that have not come are lost.
const quiet = 2 * time.Second

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/presence"
)

// A sight is a message as a viewer sees it.
type sight struct {
	At        int64           `json:"at"`   // ms since 1970
	Kind      string          `json:"kind"` // broadcast, presence, postgres_changes or system
	Event     string          `json:"event"`
	Size      int             `json:"size"`                // of the payload, in bytes
	Payload   json.RawMessage `json:"payload"`             // null for bytes; the beginning as text, when it is cut
	Truncated bool            `json:"truncated,omitempty"` // it is cut
	From      *string         `json:"from"`                // claim sub of the sender; null when not known
	Node      *string         `json:"node"`                // of the sender; null when not known

	// Between nodes:
	Sum  uint64 `json:"sum,omitempty"`  // tells what several clients got as one
	Lost int64  `json:"lost,omitempty"` // sights that there were too many of
}

// longestEvent is how many bytes of an event's name are shown. A client may choose one
// as long as a message.
const longestEvent = 256

const (
	kindBroadcast = "broadcast"
	kindPresence  = "presence"
)

func isDiff(m *hub.Message) bool { return m.Form == tutti.Object && m.Event == presence.DiffEvent }

// sightOf shows a message of the topic.
func sightOf(m *hub.Message) *sight {
	s := &sight{Kind: kindBroadcast, Event: m.Event, Size: len(m.Payload)}
	payload := m.Payload
	switch {
	case m.Form == tutti.Binary:
		return s
	case isDiff(m):
		s.Kind = kindPresence
	case m.Form == tutti.Object && m.Event == phoenix.EventSystem:
		s.Kind = channel.NoteSystem
	case m.Form == tutti.Object:
		if event, ok := phoenix.Lookup(payload, "event"); ok {
			if text, is := phoenix.Unquote(event); is {
				s.Event = text
			}
		}
		if inner, ok := phoenix.Lookup(payload, "payload"); ok {
			payload = inner
		}
	}
	s.Event = begun(s.Event, longestEvent)
	s.take(payload)
	return s
}

// begun returns the beginning of a text, which does not end within a letter.
func begun(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return strings.Clone(text[:most]) // or it would hold all of it
}

// take puts a payload in, or its beginning. The sight keeps none of its bytes.
func (s *sight) take(payload []byte) {
	if len(payload) <= cut {
		if json.Valid(payload) {
			s.Payload = slices.Clone(payload)
		}
		return
	}
	s.Truncated = true
	text, err := json.Marshal(begun(string(payload[:cut+1]), cut))
	if err == nil {
		s.Payload = text
	}
}

// diffOf returns what a presence_diff says, nothing when that is very much.
func diffOf(payload []byte) any {
	if len(payload) > mostPresence {
		return map[string]any{"joins": struct{}{}, "leaves": struct{}{}, "truncated": true}
	}
	return json.RawMessage(payload)
}

// An eye watches a topic on one loop. All of it belongs to that loop.
type eye struct {
	offer  func(*hub.Message) // nil: another eye takes the messages
	stored bool               // show messages of the database, which each node reads by itself
	show   func(*sight)
	allows func() bool // there is room for a sight

	rows [8]*byte // that were shown last: one for each view of a change
	next int
}

// Deliver implements hub.Watcher.
func (e *eye) Deliver(m *hub.Message) {
	switch {
	case e.offer != nil:
		e.offer(m)
	case e.stored:
		e.deliverStored(m)
	}
}

func (e *eye) deliverStored(m *hub.Message) {
	sum := storedSum(m)
	switch {
	case sum == 0:
	case !e.allows():
		e.show(&sight{Lost: 1})
	default:
		s := sightOf(m)
		s.At, s.Sum = time.Now().UnixMilli(), sum
		e.show(s)
	}
}

// storedSum returns what tells a message of the database from others, 0 for those
// that are not, or do not say so: it has an id.
func storedSum(m *hub.Message) uint64 {
	meta := m.Meta
	if m.Form == tutti.Object {
		if !bytes.Contains(m.Payload, []byte(`"meta"`)) {
			return 0
		}
		meta, _ = phoenix.Lookup(m.Payload, "meta")
	}
	id, found := phoenix.Lookup(meta, "id")
	if !found {
		return 0
	}
	return sumOf(id, m.Payload)
}

// sumOf returns a number that is the same for the same bytes on all nodes, never 0.
func sumOf(parts ...[]byte) uint64 {
	h := fnv.New64a()
	for _, part := range parts {
		_, _ = h.Write(part[:min(len(part), summed)])
		_, _ = h.Write(strconv.AppendInt(nil, int64(len(part)), 10))
	}
	return max(1, h.Sum64())
}

// summed is how much of a payload tells it from others, together with its length.
const summed = 64 << 10

// Note implements hub.Watcher.
func (e *eye) Note(kind string, payload []byte) {
	if len(payload) == 0 {
		return
	}
	row := kind == channel.NoteRow
	if row {
		if first := &payload[0]; slices.Contains(e.rows[:], first) {
			return // another client of this loop got the same
		}
		e.rows[e.next%len(e.rows)] = &payload[0]
		e.next++
	}
	s := &sight{At: time.Now().UnixMilli(), Kind: kind, Event: kind, Size: len(payload)}
	if !e.allows() {
		e.show(&sight{Lost: 1})
		return
	}
	if row {
		s.Sum = sumOf(payload)
		if len(payload) <= summed { // it stands at the end
			if kind, ok := phoenix.Lookup(payload, "type"); ok {
				s.Event, _ = phoenix.Unquote(kind)
			}
		}
	}
	s.take(payload)
	e.show(s)
}

// recent remembers some sums.
type recent struct {
	known map[uint64]bool
	order []uint64
}

// had reports whether a sum came before, and remembers it.
func (r *recent) had(sum uint64) bool {
	const most = 2 * sightsPerSecond
	if r.known[sum] {
		return true
	}
	if r.known == nil {
		r.known = map[uint64]bool{}
	}
	if len(r.order) == most {
		delete(r.known, r.order[0])
		r.order = r.order[1:]
	}
	r.known[sum] = true
	r.order = append(r.order, sum)
	return false
}

// names knows whose channels of a topic are on this node.
type names struct {
	known map[uint64]string
	asked time.Time
}

// find returns the claim sub of a channel's token, nil when that is not known. The
// loops are asked at most once a second.
func (n *names) find(ctx context.Context, c *Console, t tutti.Topic, id uint64) *string {
	sub, known := n.known[id]
	if !known && time.Since(n.asked) > time.Second {
		n.asked = time.Now()
		n.learn(ctx, c, t)
		sub, known = n.known[id]
	}
	if !known || sub == "" {
		return nil
	}
	return &sub
}

func (n *names) learn(ctx context.Context, c *Console, t tutti.Topic) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	parts, err := onLoops(ctx, c, func(loop int) (all []channel.Member) {
		for l := range c.Topics.Shard(loop).Listeners(t) {
			if m, is := channel.MemberOf(l); is && len(all) < 10*mostMembers {
				all = append(all, m)
			}
		}
		return all
	})
	if err != nil {
		return
	}
	n.known = map[uint64]string{}
	for _, part := range parts {
		for _, m := range part {
			n.known[m.ID] = m.Subject
		}
	}
}

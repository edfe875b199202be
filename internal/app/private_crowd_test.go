package app

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A person is a client of the crowd.
type person struct {
	crowd  *crowd
	name   string
	speak  *speaker
	random *rand.Rand
	joins  int
	tokens [crowdTopics]int
	fences chan struct{} // heartbeats that were answered
	ended  chan struct{}

	mu    sync.Mutex // guards all below
	rooms [crowdTopics]seat
	heard []hearing
	acked []int          // broadcasts that the server has taken
	count map[string]int // of what was heard
}

// A holding is a user whose token a person had.
type holding struct {
	user int
	span
}

// A seat is what a person knows of a topic.
type seat struct {
	tried, joined string // join refs, "" for none
	leaving       bool
	since         time.Time // of joined
	users         []holding // in turn
	asked         []span    // evaluations that the person has caused; to: certainly begun
}

// A hearing is that somebody heard what was said.
type hearing struct {
	said int
	at   time.Time
}

func (c *crowd) newPerson(name string, random *rand.Rand) *person {
	p := &person{
		crowd: c, name: name, random: random, fences: make(chan struct{}, 16), ended: make(chan struct{}), count: map[string]int{},
	}
	p.speak = c.s.enter(name, asUser(random.IntN(crowdUsers)), "2.0.0")
	go p.listen()
	return p
}

func (p *person) act() {
	pace := time.NewTicker(15 * time.Millisecond)
	defer pace.Stop()
	for ; time.Now().Before(p.crowd.until); <-pace.C {
		topic := p.random.IntN(crowdTopics)
		p.mu.Lock()
		ref, waits := p.rooms[topic].joined, p.rooms[topic].tried != ""
		p.mu.Unlock()
		switch n := p.random.IntN(24); {
		case ref == "" && !waits, n == 0:
			p.join(topic)
		case ref == "":
			p.fence()
		case n == 1:
			p.mu.Lock()
			p.rooms[topic].leaving = true
			p.mu.Unlock()
			p.write(`["%s","l","realtime:t%d","phx_leave",{}]`, ref, topic)
			p.fence()
		case n == 2 || n == 3:
			p.renew(topic, ref)
		case n < 8:
			p.write(`["%s","t","realtime:t%d","presence",{"event":"track","payload":{"said":%d}}]`, ref, topic, p.crowd.say(p, topic, true))
		default:
			id := p.crowd.say(p, topic, false)
			p.write(`["%s","b%d","realtime:t%d","broadcast",{"type":"broadcast","event":"e","payload":{"said":%d}}]`, ref, id, topic, id)
		}
	}
}

func (p *person) write(format string, args ...any) {
	frame := websocket.AppendMasked(nil, websocket.Text, [4]byte{1, 2, 3, 4}, fmt.Appendf(nil, format, args...))
	if _, err := p.speak.conn.Write(frame); err != nil {
		p.crowd.s.t.Errorf("%s cannot write: %v", p.name, err)
	}
}

// fence waits until the server has handled all that was written before.
func (p *person) fence() {
	p.write(`[null,"h","phoenix","heartbeat",{}]`)
	select {
	case <-p.fences:
	case <-p.ended:
	}
}

// join joins a topic anew, as some user.
func (p *person) join(topic int) {
	p.joins++
	ref := fmt.Sprint(p.joins)
	p.mu.Lock()
	p.rooms[topic].tried, p.rooms[topic].leaving = ref, false
	p.mu.Unlock()
	user := p.random.IntN(crowdUsers)
	p.evaluation(topic, user, func() {
		p.write(`["%s","%s","realtime:t%d","phx_join",{"config":{"private":true,"broadcast":{"self":true,"ack":true},"presence":{"enabled":true}},"access_token":"%s"}]`,
			ref, ref, topic, p.token(topic, user))
	})
}

// renew gives a topic another token, mostly of another user.
func (p *person) renew(topic int, ref string) {
	user := p.random.IntN(crowdUsers)
	p.evaluation(topic, user, func() {
		p.write(`["%s","a","realtime:t%d","access_token",{"access_token":"%s"}]`, ref, topic, p.token(topic, user))
	})
}

// token returns a token that is not the topic's last, and that others may have
// as well: equal questions share an answer.
func (p *person) token(topic, user int) string {
	p.tokens[topic]++
	who := asUser(user)
	who.claims = map[string]any{"jti": fmt.Sprint(p.tokens[topic] % 2)}
	return p.crowd.s.mint(who)
}

// evaluation notes what f causes, which gives a topic a token of another user.
func (p *person) evaluation(topic, user int, f func()) {
	begun, room := time.Now(), &p.rooms[topic]
	p.mu.Lock()
	room.users = append(room.users, holding{user: user, span: span{begun, endOfTime}})
	p.mu.Unlock()
	f()
	p.fence()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if n := len(room.users); n > 1 {
		room.users[n-2].to = now
	}
	room.asked = append(room.asked, span{begun, now})
}

// listen takes note of what the person hears until the connection ends.
func (p *person) listen() {
	defer close(p.ended)
	for f := range p.speak.frames {
		u, err := parseUtterance(phoenix.V2, f)
		if err != nil {
			p.crowd.s.t.Errorf("%s: %v", p.name, err)
			continue
		}
		if u.Ref == "h" {
			p.fences <- struct{}{}
			continue
		}
		p.hear(u)
	}
}

func (p *person) hear(u utterance) {
	topic, id := -1, -1
	if _, err := fmt.Sscanf(u.Topic, "realtime:t%d", &topic); err != nil {
		p.crowd.s.t.Errorf("%s hears of topic %s", p.name, u.Topic)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	room := &p.rooms[topic]
	what, isJoin := strings.CutPrefix(u.String(), "reply "+u.JoinRef+" ")
	if _, err := fmt.Sscanf(what, "reply b%d ok", &id); err == nil {
		p.acked = append(p.acked, id)
	}
	switch {
	case isJoin:
		p.count["join "+strings.SplitN(what, " ", 2)[0]]++
	case u.Event == "system":
		p.count[strings.TrimRight(what, "012")]++
	default:
		p.count[u.Event]++
	}
	switch {
	case isJoin && what == "ok":
		room.joined, room.since = u.Ref, time.Now()
	case isJoin && u.Ref == room.tried:
		room.tried = ""
	case u.Event == "phx_close":
		if u.JoinRef == room.joined {
			room.joined = ""
		}
		if u.JoinRef == room.tried {
			room.tried = ""
		}
	case u.Event == "broadcast" || u.Event == "presence_diff" || u.cast:
		if room.joined == "" {
			p.crowd.s.t.Errorf("%s hears a topic that he has not joined: %s", p.name, u.Payload)
		}
		for _, n := range numbers(u) {
			p.heard = append(p.heard, hearing{said: n, at: time.Now()})
		}
	}
}

// numbers returns what was said with a frame.
func numbers(u utterance) (all []int) {
	type said struct{ Said int }
	var p struct {
		said
		Payload *said
		Joins   map[string]struct{ Metas []said }
	}
	if json.Unmarshal(u.Payload, &p) != nil {
		return nil
	}
	switch {
	case u.Event == "end":
		return nil
	case u.cast:
		return []int{p.Said}
	case p.Payload != nil:
		return []int{p.Payload.Said}
	}
	for _, entry := range p.Joins {
		for _, meta := range entry.Metas {
			all = append(all, meta.Said)
		}
	}
	return all
}

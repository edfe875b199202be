package channel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// grants are what a role may do: read and write.
type grants struct{ read, write postgres.Permission }

// randomPolicies answer by the role, after a while, in any order, and sometimes
// not. Their answer is what was true when they were asked.
type randomPolicies struct {
	loop  *testLoop
	rand  *rand.Rand
	roles map[string]grants // only the loop looks at it
}

func (p *randomPolicies) later(f func(failed error)) {
	var failed error
	if p.rand.IntN(40) == 0 {
		failed = &postgres.Refusal{
			Client: &tutti.Error{Code: tutti.UnableToConnectToProject, Reason: "away"}, Err: errors.New("away"),
		}
	}
	time.AfterFunc(time.Duration(p.rand.IntN(200))*time.Millisecond, func() { p.loop.Post(0, 0, func() { f(failed) }) })
}

func (p *randomPolicies) MayRead(q database.Question, _ int, answer func(postgres.Permission, error)) {
	truth := p.roles[q.Claims.Role].read
	truth.Presence = truth.Presence && q.Presence
	p.later(func(failed error) { answer(truth, failed) })
}

func (p *randomPolicies) MayWrite(q database.Question, _ int, answer func(postgres.Permission, error)) {
	truth := p.roles[q.Claims.Role].write
	truth.Presence = truth.Presence && q.Presence
	p.later(func(failed error) { answer(truth, failed) })
}

func (p *randomPolicies) Replay(_ database.Question, _ time.Time, _ int, _ int, answer func([]postgres.Stored, error)) {
	p.later(func(failed error) {
		answer([]postgres.Stored{{ID: "x", Event: "old", Payload: []byte(`{"from":-1,"n":0}`)}}, failed)
	})
}

// somebody is a client of the stress test, and what it must not see.
type somebody struct {
	*testLine
	stress *stress
	number int
	roles  map[string]string // topic → role of the token that it used last
	heard  map[string]int    // topic and sender → number heard last
}

type stress struct {
	t        *testing.T
	rand     *rand.Rand
	loop     *testLoop
	policies *randomPolicies
	people   []*somebody
	sent     int
	got      int
	withheld int // moments at which somebody on a topic may not read it
}

var (
	stressTopics = []string{"a", "b", "c"}
	stressRoles  = []string{"all", "all", "all", "reader", "mute", "people", "nobody"}
)

func TestNobodyHearsWhatHeMayNotRead(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newStress(t, seed).run() })
		})
	}
}

func newStress(t *testing.T, seed uint64) *stress {
	yes := postgres.Permission{Broadcast: true, Presence: true}
	s := &stress{t: t, rand: rand.New(rand.NewPCG(seed, 1))}
	s.policies = &randomPolicies{rand: rand.New(rand.NewPCG(seed, 2)), roles: map[string]grants{
		"all": {yes, yes}, "reader": {read: yes}, "mute": {postgres.Permission{Broadcast: true}, postgres.Permission{}},
		"people": {postgres.Permission{Presence: true}, yes},
	}}
	s.loop = newLoop(t, s.policies, map[string]any{"db_host": "x", "recheck_seconds": "2"})
	s.policies.loop = s.loop
	s.loop.publish = s.published
	return s
}

func (s *stress) run() {
	for range 8 {
		s.people = append(s.people, s.newcomer())
	}
	for range 10_000 {
		time.Sleep(time.Duration(s.rand.IntN(40)) * time.Millisecond)
		s.loop.do(s.step)
	}
	time.Sleep(10 * time.Second) // every answer has come
	s.loop.do(func() {
		for _, p := range s.people {
			if p.client.waiting != 0 || p.client.refused != 0 {
				s.t.Errorf("%d bytes of pushes and %d joins still wait", p.client.waiting, p.client.refused)
			}
			p.Hangup(1000, "")
		}
	})
	time.Sleep(1500 * time.Millisecond) // the wait of refused joins is over, but not that for the next recheck
	s.loop.do(s.nothingIsLeft)
	if s.got < 300 || s.withheld < 30 {
		s.t.Errorf("only %d messages were heard and %d withheld: this shows nothing", s.got, s.withheld)
	}
}

func (s *stress) nothingIsLeft() {
	if n := s.loop.desk.Shard.Members(); n != 0 || s.loop.topics.Topics() != 0 {
		s.t.Errorf("%d seats are left in %d topics", n, s.loop.topics.Topics())
	}
	if s.loop.armed != 0 {
		s.t.Errorf("%d timers are left", s.loop.armed)
	}
	if n := s.loop.meters.Users(); n != 0 {
		s.t.Errorf("%d users are left", n)
	}
	for _, topic := range stressTopics {
		if state := s.loop.desk.Roster.State(tutti.Topic{Tenant: "acme", Name: topic, Private: true}); string(state) != `{}` {
			s.t.Errorf("%s has presence: %s", topic, state)
		}
	}
}

func (p *somebody) nothingWaits() {
	if c := p.client; c.waiting != 0 || c.topics.len() != 0 {
		p.stress.t.Errorf("%d bytes wait, %d channels are left", c.waiting, c.topics.len())
	}
}

func (s *stress) newcomer() *somebody {
	token, err := s.loop.desk.Verifier.Verify(s.loop.handle.Tenant(), mint(s.t, "nobody", 0), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	p := &somebody{testLine: s.loop.connect(token), stress: s, roles: map[string]string{}, heard: map[string]int{}}
	p.send = p.hears
	s.sent++
	p.number = s.sent
	return p
}

// step does one thing that somebody may do.
func (s *stress) step() {
	p := s.people[s.rand.IntN(len(s.people))]
	topic := stressTopics[s.rand.IntN(len(stressTopics))]
	switch n := s.rand.IntN(100); {
	case n < 12:
		p.join(topic)
	case n < 14:
		p.push(phoenix.EventLeave, topic, `{}`)
		if p.client.topics.find([]byte("realtime:"+topic)) == nil { // else it waits behind broadcasts
			delete(p.roles, topic)
		}
	case n < 84:
		s.sent++
		p.push(phoenix.EventBroadcast, topic, fmt.Sprintf(`{"from":%d,"n":%d}`, p.number, s.sent))
	case n < 88:
		s.sent++
		p.push(phoenix.EventPresence, topic, fmt.Sprintf(`{"event":"track","payload":{"n":%d}}`, s.sent))
	case n < 90:
		p.push(phoenix.EventPresence, topic, `{"event":"untrack"}`)
	case n < 97:
		p.renew(topic)
	case n < 99:
		s.changePolicies()
	default:
		p.Hangup(1000, "")
		s.people[s.rand.IntN(len(s.people))].Hangup(1000, "")
		for i, p := range s.people {
			if p.closed {
				p.nothingWaits()
				s.people[i] = s.newcomer()
			}
		}
	}
}

func (p *somebody) role() string { return stressRoles[p.stress.rand.IntN(len(stressRoles))] }

func (p *somebody) join(topic string) {
	s, role := p.stress, p.role()
	p.roles[topic] = role
	config := `"private":true,"presence":{"enabled":` + strconv.FormatBool(s.rand.IntN(2) == 0) + `}`
	if s.rand.IntN(2) == 0 {
		config += `,"broadcast":{"ack":true,"self":true,"replay":{"since":0}}`
	}
	s.sent++
	p.push(phoenix.EventJoin, topic, `{"config":{`+config+`},"access_token":"`+mint(s.t, role, s.sent)+`"}`)
}

func (p *somebody) renew(topic string) {
	if p.client.topics.find([]byte("realtime:"+topic)) == nil {
		return
	}
	s := p.stress
	p.roles[topic] = p.role()
	s.sent++
	p.push(phoenix.EventAccessToken, topic, `{"access_token":"`+mint(s.t, p.roles[topic], s.sent)+`"}`)
}

// changePolicies takes a role's rights away, or gives them back, and has an
// operator say so.
func (s *stress) changePolicies() {
	yes := postgres.Permission{Broadcast: true, Presence: true}
	role := s.policies.roles["all"]
	if role.read.Broadcast {
		s.policies.roles["all"] = grants{read: postgres.Permission{Presence: s.rand.IntN(2) == 0}}
	} else {
		s.policies.roles["all"] = grants{yes, yes}
	}
	for _, p := range s.people {
		if !p.closed {
			p.client.Reauthorize(Who{})
		}
	}
}

// hears checks what a client is sent.
func (p *somebody) hears(f phoenix.ServerFrame) {
	_, topic, _ := splitWire(string(f.Topic))
	s := p.stress
	truth := s.policies.roles[p.roles[topic]].read
	switch f.Event {
	case phoenix.EventBroadcast:
		s.got++
		if !truth.Broadcast {
			s.t.Errorf("%q hears %s in %s", p.roles[topic], f.Payload, topic)
		}
		p.inOrder(topic, f.Payload)
	case "presence_diff", "presence_state":
		if !truth.Presence {
			s.t.Errorf("%q hears %s in %s", p.roles[topic], f.Event, topic)
		}
	}
}

func splitWire(wire string) (prefix, name string, ok bool) {
	name, ok = tutti.CutTopic(wire)
	return tutti.TopicPrefix, name, ok
}

// inOrder checks that the messages of one sender come in its order.
func (p *somebody) inOrder(topic string, payload []byte) {
	var from, n int
	if _, err := fmt.Sscanf(string(payload), `{"from":%d,"n":%d}`, &from, &n); err != nil {
		return // replayed
	}
	key := topic + strconv.Itoa(from)
	if n <= p.heard[key] {
		p.stress.t.Errorf("%d of %d comes after %d", n, from, p.heard[key])
	}
	p.heard[key] = n
}

// published checks that whoever sends may write, and looks who may not read.
func (s *stress) published(m tutti.Message) {
	if m.Event != phoenix.EventBroadcast {
		return
	}
	var from, n int
	if _, err := fmt.Sscanf(string(m.Payload), `{"from":%d,"n":%d}`, &from, &n); err != nil {
		s.t.Errorf("unknown message %q", m.Payload)
	}
	for _, p := range s.people {
		role := s.policies.roles[p.roles[m.Topic.Name]]
		if p.number == from && !role.write.Broadcast {
			s.t.Errorf("%q writes to %s", p.roles[m.Topic.Name], m.Topic.Name)
		}
		if ch := p.client.topics.find([]byte(m.Topic.Wire())); ch != nil && !role.read.Broadcast {
			s.withheld++
		}
	}
}

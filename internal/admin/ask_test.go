package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/hub"
)

// A party is a bus with other nodes on it.
type party struct {
	cluster.Local
	replies []cluster.Reply
	silent  []string
	err     error
	told    chan string // kinds of what was told
	away    atomic.Bool // nothing can be told
}

func (p *party) Members() []cluster.Member {
	return append(p.Local.Members(), cluster.Member{ID: "n2", Load: map[string]float64{"connections": 5}}, cluster.Member{ID: "n3"})
}

func (p *party) Ask(_ context.Context, _, _ string, _ []byte) ([]cluster.Reply, []string, error) {
	return p.replies, slices.Clone(p.silent), p.err
}

func (p *party) Tell(to, name string, payload []byte) error {
	if p.away.Load() {
		return errors.New("away")
	}
	var q question
	if err := json.Unmarshal(payload, &q); err != nil || name != Call {
		return err
	}
	p.told <- to + " " + q.Kind
	return nil
}

func newParty() *party {
	return &party{Local: cluster.Local{Self: cluster.Member{ID: "n1"}}, told: make(chan string, 10_000)}
}

func TestNodesThatDoNotAnswerAreNamed(t *testing.T) {
	t.Parallel()
	good, err := json.Marshal(reply{Numbers: &numbers{Connections: 10, Channels: 20}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		bus         func(*party)
		connections int
		unreachable []string
	}{
		"all answer":    {func(p *party) { p.replies = []cluster.Reply{{Node: "n2", Payload: good}, {Node: "n3", Payload: good}} }, 27, nil},
		"one is silent": {func(p *party) { p.replies, p.silent = []cluster.Reply{{Node: "n2", Payload: good}}, []string{"n3"} }, 17, []string{"n3"}},
		"one knows no consoles": {func(p *party) {
			p.replies = []cluster.Reply{{Node: "n2", Err: errors.New("x")}, {Node: "n3", Payload: good}}
		}, 17, []string{"n2"}},
		"one talks nonsense": {func(p *party) {
			p.replies = []cluster.Reply{{Node: "n2", Payload: []byte("?")}, {Node: "n3", Payload: []byte("{}")}}
		}, 7, []string{"n2"}},
		"nobody can be asked":      {func(p *party) { p.err = errors.New("cut off") }, 7, []string{"n2", "n3"}},
		"all are silent, in a row": {func(p *party) { p.silent = []string{"n3", "n2"} }, 7, []string{"n2", "n3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParty()
			tt.bus(p)
			s := newStage(t, func(c *Console) { c.Bus = p })
			var o Overview
			s.expect("GET", "/overview", "", 200, &o)
			if o.Totals.Connections != tt.connections || !slices.Equal(o.Unreachable, tt.unreachable) && len(o.Unreachable)+len(tt.unreachable) > 0 || len(o.Nodes) != 3 {
				t.Errorf("%+v", o)
			}
			for _, n := range o.Nodes {
				if n.ID == "n2" && slices.Contains(tt.unreachable, "n2") && (n.Alive || n.Connections != 5) {
					t.Errorf("a silent node is %+v", n)
				}
			}
		})
	}
}

func TestQuestionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	for _, payload := range []string{"", "?", "[]", `{"kind":"of a newer release"}`} {
		if _, err := s.Answer(t.Context(), "n2", []byte(payload)); err == nil {
			t.Errorf("%q is answered", payload)
		}
		if err := s.Receive("n2", []byte(payload)); err == nil {
			t.Errorf("%q is understood", payload)
		}
	}
	for _, payload := range []string{`{"kind":"topic"}`, `{"kind":"series","tenant":"nobody"}`, `{"kind":"topics"}`, `{"kind":"tenants","ids":["nobody"]}`, `{"kind":"member","member":7}`} {
		if _, err := s.Answer(t.Context(), "n2", []byte(payload)); err != nil {
			t.Errorf("%s is not answered: %v", payload, err)
		}
	}
	for _, payload := range []string{`{"kind":"seen","look":7}`, `{"kind":"seen","look":7,"seen":{"kind":"system"}}`, `{"kind":"unlook","look":7}`} {
		if err := s.Receive("n2", []byte(payload)); err != nil {
			t.Errorf("%s is not understood: %v", payload, err)
		}
	}
}

func tellLookOf(topic tutti.Topic, id uint64) []byte {
	payload, err := json.Marshal(question{Kind: tellLook, Look: id, Topic: &topic})
	if err != nil {
		panic(err)
	}
	return payload
}

func TestWhatALookOfAnotherNodeIsTold(t *testing.T) {
	t.Parallel()
	p := newParty()
	s := newStage(t, func(c *Console) { c.Bus = p })
	if err := s.Receive("n2", tellLookOf(room, 7)); err != nil {
		t.Fatal(err)
	}
	s.settle()
	if s.Topics.Topics() != 0 {
		t.Error("a look of another node makes messages come here")
	}
	note := func() {
		_, err := onLoops(t.Context(), s.Console, func(loop int) bool {
			if loop == 0 {
				s.Topics.Shard(loop).Note(room, "system", []byte(`{"status":"ok"}`))
				s.Topics.Shard(loop).Note(tutti.Topic{Tenant: "acme", Name: "elsewhere"}, "system", []byte(`{}`))
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	note()
	if got := <-p.told; got != "n2 seen" {
		t.Errorf("told %s", got)
	}
	// More than a viewer is shown are counted, and told of later.
	for range sightsPerSecond + 10 {
		note()
	}
	s.Console.mu.Lock()
	lost := s.taps[tapKey{"n2", 7}].lost.Load()
	s.Console.mu.Unlock()
	if lost == 0 {
		t.Skip("it took longer than a second")
	}
	// When that cannot be told it is told later, and is as many.
	p.away.Store(true)
	s.expire(time.Now())
	p.away.Store(false)
	s.Console.mu.Lock()
	after := s.taps[tapKey{"n2", 7}].lost.Load()
	s.Console.mu.Unlock()
	if after != lost {
		t.Errorf("%d are to be told of, of %d", after, lost)
	}
	s.expire(time.Now())
	s.Console.mu.Lock()
	lost = s.taps[tapKey{"n2", 7}].lost.Load()
	s.Console.mu.Unlock()
	if lost != 0 {
		t.Errorf("%d are not told of", lost)
	}
}

func TestALookThatAnotherNodeForgetsEnds(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	taps := func() int {
		s.Console.mu.Lock()
		defer s.Console.mu.Unlock()
		return len(s.taps)
	}
	for id := range uint64(mostTaps + 10) {
		if err := s.Receive("n2", tellLookOf(room, id)); err != nil {
			t.Fatal(err)
		}
	}
	if n := taps(); n != mostTaps {
		t.Errorf("%d looks of another node are served", n)
	}
	s.expire(time.Now().Add(tapLife - time.Second))
	if n := taps(); n != mostTaps {
		t.Errorf("%d are left too early", n)
	}
	s.expire(time.Now().Add(tapLife + time.Second))
	if n := taps(); n != 0 {
		t.Errorf("%d are left", n)
	}
	s.settle()
	watched, err := onLoops(t.Context(), s.Console, func(loop int) bool { return s.Topics.Shard(loop).Watched(room) })
	if err != nil || slices.Contains(watched, true) {
		t.Errorf("%v %v", watched, err)
	}
}

func TestOtherNodesAreToldOfALookAndOfItsEnd(t *testing.T) {
	t.Parallel()
	p := newParty()
	s := newStage(t, func(c *Console) { c.Bus = p })
	answer := s.ask("GET", "/tenants/acme/topics/room%2F1/live", "", nil)
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.StatusCode)
	}
	if got := <-p.told; got != " look" {
		t.Errorf("told %q", got)
	}
	_ = answer.Body.Close()
	if got := <-p.told; got != " unlook" {
		t.Errorf("told %q", got)
	}
}

// A stuckLoop never does what is posted.
type stuckLoop struct{}

func (stuckLoop) Post(int, int, func()) bool { return true }
func (stuckLoop) Enqueue(*hub.Message)       {}

func TestANodeThatIsTooBusyIsNamedAsWell(t *testing.T) {
	t.Parallel()
	p := newParty()
	good, err := json.Marshal(reply{Numbers: &numbers{Connections: 10}, Topic: &topicView{Listeners: 3}})
	if err != nil {
		t.Fatal(err)
	}
	p.replies = []cluster.Reply{{Node: "n2", Payload: good}}
	s := newStage(t, func(c *Console) { c.Bus, c.Loops = p, []hub.Loop{stuckLoop{}} })
	var o Overview
	s.expect("GET", "/overview", "", 200, &o)
	if o.Totals.Connections != 10 || !slices.Equal(o.Unreachable, []string{"n1"}) || o.Nodes[0].Alive {
		t.Errorf("%+v", o)
	}
	var topic struct {
		Listeners   int
		Unreachable []string
	}
	s.expect("GET", "/tenants/acme/topics/t", "", 200, &topic)
	if topic.Listeners != 3 || !slices.Equal(topic.Unreachable, []string{"n1"}) {
		t.Errorf("%+v", topic)
	}
	var f Fault
	s.expect("POST", "/tenants/acme/kick", `{"topic":"t","ref":"n1/7"}`, http.StatusServiceUnavailable, &f)
	if f.Code != "NodeBusy" {
		t.Errorf("%+v", f)
	}
}

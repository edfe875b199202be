package channel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// patientPolicies allow everything, when they are told to answer.
type patientPolicies struct{ answers []func() }

var everything = postgres.Permission{Broadcast: true, Presence: true}

func (p *patientPolicies) MayRead(_ database.Question, _ int, answer func(postgres.Permission, error)) {
	p.answers = append(p.answers, func() { answer(everything, nil) })
}

func (p *patientPolicies) MayWrite(_ database.Question, _ int, answer func(postgres.Permission, error)) {
	p.answers = append(p.answers, func() { answer(everything, nil) })
}

func (p *patientPolicies) Replay(_ database.Question, _ time.Time, _ int, _ int, answer func([]postgres.Stored, error)) {
	p.answers = append(p.answers, func() { answer(nil, nil) })
}

// A talk is one client and the policies that it waits for.
type talk struct {
	*testLine
	policies *patientPolicies
	heard    []string // event and payload
}

// speak runs a test with a client, in virtual time.
func speak(t *testing.T, test func(t *testing.T, c *talk)) {
	synctest.Test(t, func(t *testing.T) {
		p := &patientPolicies{}
		l := newLoop(t, p, nil)
		token, err := l.desk.Verifier.Verify(l.handle.Tenant(), mint(t, "anon", 0), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		c := &talk{testLine: l.connect(token), policies: p}
		c.send = func(f phoenix.ServerFrame) { c.heard = append(c.heard, f.Event+" "+string(f.Payload)) }
		test(t, c)
		l.do(func() { c.Hangup(1000, "") })
	})
}

// says has the client send something; what that leads to has happened after it.
func (c *talk) says(event, topic, payload string) {
	c.loop.do(func() { c.push(event, topic, payload) })
	synctest.Wait()
}

// answer answers all questions, and those that they lead to.
func (c *talk) answer() {
	for range 3 {
		c.loop.do(func() {
			for _, f := range c.policies.answers {
				f()
			}
			c.policies.answers = nil
		})
		synctest.Wait()
	}
}

func (c *talk) join(config string) {
	c.says(phoenix.EventJoin, "t", `{"config":{"private":true,`+config+`}}`)
	c.answer()
}

func (c *talk) count(start string) (n int) {
	c.loop.do(func() {
		for _, text := range c.heard {
			if strings.HasPrefix(text, start) {
				n++
			}
		}
	})
	return n
}

func TestPushesThatWaitHaveAnEnd(t *testing.T) {
	speak(t, func(t *testing.T, c *talk) {
		c.join(`"broadcast":{"ack":true}`)
		large := `{"event":"e","x":"` + strings.Repeat("x", 60_000) + `"}`
		for range maxWaiting/60_000 + 10 {
			c.says(phoenix.EventBroadcast, "t", large)
		}
		if c.client.waiting > maxWaiting {
			t.Errorf("%d bytes wait", c.client.waiting)
		}
		c.says(phoenix.EventPresence, "t", `{"event":"track","payload":{"x":"`+strings.Repeat("x", 60_000)+`"}}`)
		if c.count(`phx_reply {"status":"error","response":{}}`) != 1 {
			t.Errorf("a track for which there is no room is not refused: %.200q", c.heard)
		}
		c.answer()
		if n := c.count(`phx_reply {"status":"ok"`); n < 50 || n > maxWaiting/60_000+1 {
			t.Errorf("%d pushes were handled", n-1)
		}
		if c.client.waiting != 0 {
			t.Errorf("%d bytes still wait", c.client.waiting)
		}
	})
}

func TestOneLargePushMayAlwaysWait(t *testing.T) {
	speak(t, func(t *testing.T, c *talk) {
		c.join(`"broadcast":{"ack":true}`)
		c.says(phoenix.EventBroadcast, "t", `{"event":"e","x":"`+strings.Repeat("x", maxWaiting)+`"}`)
		c.answer()
		if c.count(`phx_reply {"status":"error","response":"payload_size_exceeded"}`) != 1 {
			t.Errorf("it was not handled: %.200q", c.heard)
		}
	})
}

func TestMessagesThatAreHeldHaveAnEnd(t *testing.T) {
	speak(t, func(t *testing.T, c *talk) {
		c.join(`"broadcast":{}`)
		c.loop.do(func() { c.client.Reauthorize(Who{}) })
		for i := range maxHeld + 10 {
			c.loop.topics.Deliver(tutti.Message{
				Topic: tutti.Topic{Tenant: "acme", Name: "t", Private: true}, Event: "broadcast", Payload: fmt.Appendf(nil, `{"n":%d}`, i),
			})
		}
		synctest.Wait()
		if n := c.count("broadcast"); n != 0 {
			t.Errorf("%d were delivered too early", n)
		}
		c.answer()
		if n := c.count("broadcast"); n != maxHeld {
			t.Errorf("%d were delivered, want %d", n, maxHeld)
		}
	})
}

func TestWhoAsksTooMuchIsNotRead(t *testing.T) {
	speak(t, func(t *testing.T, c *talk) {
		for i := range curiosity {
			if c.client.Congested() {
				t.Fatalf("congested after %d joins", i)
			}
			c.says(phoenix.EventJoin, "t", `{"config":{"private":true}}`)
		}
		if !c.client.Congested() || len(c.client.topics.list) != 1 {
			t.Errorf("not congested, %d channels", len(c.client.topics.list))
		}
		c.answer()
		if c.client.Congested() || c.client.asked != 0 {
			t.Errorf("%d questions are still under way", c.client.asked)
		}
		if ok, closed := c.count("phx_reply"), c.count("phx_close"); ok != 1 || closed != curiosity-1 {
			t.Errorf("%d joins were answered and %d channels closed", ok, closed)
		}
	})
}

func TestReplicationIsReadyOnce(t *testing.T) {
	const ready = `system {"channel":"t","extension":"system","message":"Replication connection established","status":"ok"}`
	speak(t, func(t *testing.T, c *talk) {
		c.join(`"broadcast":{"replication_ready":true}`)
		ch := c.client.topics.list[0]
		c.loop.do(func() {
			ch.ReplicationReady()
			ch.ReplicationReady()
		})
		time.Sleep(2 * replicationWait)
		if c.count(ready) != 1 || c.count("phx_close") != 0 {
			t.Errorf("heard %q", c.heard)
		}
		c.says(phoenix.EventJoin, "t", `{"config":{"private":true,"broadcast":{"replication_ready":true}}}`)
		c.answer()
		c.says(phoenix.EventLeave, "t", `{}`)
		if c.loop.armed != 0 {
			t.Errorf("%d timers are left", c.loop.armed)
		}
		c.join(`"broadcast":{"replication_ready":true}`)
		time.Sleep(2 * replicationWait)
		if c.count(`system {"channel":"t","extension":"system","message":"Replication connection was not established in time"`) != 1 {
			t.Errorf("heard %q", c.heard)
		}
	})
}

func TestReplayParams(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"since":0}`:                               "0 25 true",
		`{"since":-1,"limit":1}`:                    "-1 1 true",
		`{"since":1,"limit":0}`:                     "1 1 true",
		`{"since":1,"limit":-99999999999999999999}`: "1 1 true",
		`{"since":1,"limit":99999999999999999999}`:  "1 25 true",
		`{"since":253402300799999,"limit":25}`:      "253402300799999 25 true",
		`{"since":253402300800000}`:                 "false",
		`{"since":-377705116800001}`:                "false",
		`{"since":99999999999999999999}`:            "false",
		`{"since":1.0}`:                             "false",
		`{"since":1e3}`:                             "false",
		`{"since":"1"}`:                             "false",
		`{"since":null}`:                            "false",
		`{"since":1,"limit":null}`:                  "false",
		`{"since":1,"limit":"5"}`:                   "false",
		`{"since":1,"limit":2.5}`:                   "false",
		`{}`:                                        "false",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			since, limit, ok := replayParams([]byte(raw), 25)
			got := "false"
			if ok {
				got = fmt.Sprint(since.UnixMilli(), limit, ok)
			}
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestAJoinUnderWayIsThrownOutLikeAChannel(t *testing.T) {
	speak(t, func(t *testing.T, c *talk) {
		c.says(phoenix.EventJoin, "t", `{"config":{"private":true}}`)
		c.says(phoenix.EventBroadcast, "t", `{"event":"e"}`)
		c.loop.do(func() {
			if c.client.Abandoned() || c.client.live() != 1 {
				t.Error("a join under way does not count as a channel")
			}
			c.client.Dismiss()
		})
		if c.count("system") != 0 {
			t.Errorf("a channel that is not joined is told something: %q", c.heard)
		}
	})
	speak(t, func(t *testing.T, c *talk) {
		c.says(phoenix.EventJoin, "t", `{"config":{"private":true}}`)
		c.says(phoenix.EventBroadcast, "t", `{"event":"e"}`)
		c.loop.do(func() {
			if !c.client.Expel(Who{Topic: "t"}) {
				t.Error("it was not meant")
			}
		})
		c.answer()
		want := []string{
			`system {"channel":"t","extension":"system","message":"Server requested disconnect","status":"ok"}`,
			`phx_reply {"status":"error","response":{"reason":"unmatched topic"}}`,
			`phx_close {}`,
		}
		c.loop.do(func() {
			if !slices.Equal(c.heard, want) {
				t.Errorf("heard %q", c.heard)
			}
		})
		if n := c.loop.desk.Shard.Members(); n != 0 {
			t.Errorf("%d seats are left", n)
		}
	})
}

func TestAServerThatStopsLetsNobodyIn(t *testing.T) {
	speak(t, func(t *testing.T, c *talk) {
		c.says(phoenix.EventJoin, "t", `{"config":{"private":true}}`)
		c.loop.desk.Close()
		c.answer()
		time.Sleep(2 * c.loop.desk.JoinBackoff)
		if c.count(`phx_reply {"status":"error","response":{"reason":"RealtimeRestarting: Realtime is restarting, please standby"}}`) != 1 {
			t.Errorf("heard %q", c.heard)
		}
	})
}

func TestANewTokenWhileMessagesAreFetchedAsksAnew(t *testing.T) {
	speak(t, func(t *testing.T, c *talk) {
		c.says(phoenix.EventJoin, "t", `{"config":{"private":true,"broadcast":{"replay":{"since":0}}}}`)
		c.loop.do(func() {
			c.policies.answers[0]() // who may read; the messages are asked for
			c.policies.answers = nil
		})
		synctest.Wait()
		c.loop.topics.Deliver(tutti.Message{
			Topic: tutti.Topic{Tenant: "acme", Name: "t", Private: true}, Event: "broadcast", Payload: []byte(`{}`),
		})
		c.says(phoenix.EventAccessToken, "t", `{"access_token":"`+mint(t, "anon", 1)+`"}`)
		if len(c.policies.answers) != 2 {
			t.Fatalf("%d questions are open, want the messages and who may read", len(c.policies.answers))
		}
		c.answer()
		if r, b := c.count("phx_reply"), c.count("broadcast"); r != 1 || b != 1 {
			t.Errorf("%d replies and %d broadcasts: %q", r, b, c.heard)
		}
	})
}

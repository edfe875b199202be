package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/channel"
)

// answerTime is how long other nodes have for an answer.
const answerTime = 1500 * time.Millisecond

// What nodes ask and tell each other. Fields and kinds that a release does not
// know are left out of its answers.
const (
	askNumbers = "numbers" // of the node, and of a tenant
	askTenants = "tenants" // what tenants have on the node
	askSeries  = "series"  // of a tenant, or of all
	askTopics  = "topics"  // of a tenant
	askTopic   = "topic"   // who is in it
	askMember  = "member"  // to be thrown out
	askRefresh = "refresh" // a tenant that may have changed
	tellLook   = "look"    // somebody looks into a topic, for some more seconds
	tellUnlook = "unlook"  // not any more
	tellSeen   = "seen"    // in a topic that the other node looks into
)

// A question is what one node asks or tells another.
type question struct {
	Kind   string       `json:"kind"`
	Tenant string       `json:"tenant,omitempty"`
	IDs    []string     `json:"ids,omitempty"` // of tenants
	Search string       `json:"search,omitempty"`
	Topic  *tutti.Topic `json:"topic,omitempty"`
	Limit  int          `json:"limit,omitempty"`
	Member uint64       `json:"member,omitempty"` // number of a channel
	Look   uint64       `json:"look,omitempty"`   // of the node that looks
	Seen   *sight       `json:"seen,omitempty"`
}

// A reply is what a node says; the field of the question's kind is set.
type reply struct {
	Numbers *numbers                `json:"numbers,omitempty"`
	Point   *Point                  `json:"point,omitempty"`
	Tenants map[string]*tenantShare `json:"tenants,omitempty"`
	Series  []Point                 `json:"series,omitempty"`
	Topics  []topicShare            `json:"topics,omitempty"`
	Total   int                     `json:"total,omitempty"`
	Topic   *topicView              `json:"topic,omitempty"`
	Done    int                     `json:"done,omitempty"`
}

// errBusy says that event loops have so much to do that they did not answer.
var errBusy = &Fault{
	Status: http.StatusServiceUnavailable, Code: "NodeBusy", Message: "The node has so much to do that it did not answer in time",
	Cure: "Look at its load, and try again", after: 2 * time.Second,
}

var errUnknownQuestion = errors.New("this release does not know the question")

// Answer answers another node.
func (c *Console) Answer(ctx context.Context, _ string, payload []byte) ([]byte, error) {
	var q question
	if err := json.Unmarshal(payload, &q); err != nil {
		return nil, fmt.Errorf("read a question of a console: %w", err)
	}
	r, err := c.reply(ctx, &q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// reply says what this node knows.
func (c *Console) reply(ctx context.Context, q *question) (r reply, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	switch q.Kind {
	case askNumbers:
		r.Numbers, err = c.numbers(ctx)
		if q.Tenant != "" {
			r.Point = c.recorder.last(q.Tenant)
		}
	case askTenants:
		r.Tenants, err = c.shares(ctx, q.IDs)
	case askSeries:
		r.Series = c.recorder.points(q.Tenant)
	case askTopics:
		r.Topics, r.Total, err = c.topics(ctx, q.Tenant, q.Search, q.Limit)
	case askTopic:
		r.Topic, err = c.view(ctx, q.topic())
	case askMember:
		r.Done, err = c.expelMember(ctx, q.topic(), q.Member)
	case askRefresh:
		err = c.Directory.Refresh(ctx, q.Tenant)
	default:
		err = errUnknownQuestion
	}
	return r, err
}

func (q *question) topic() tutti.Topic {
	if q.Topic == nil {
		return tutti.Topic{}
	}
	return *q.Topic
}

// A nodeReply is what a node answered; that of this node is the first, if it is
// not too busy.
type nodeReply struct {
	node string
	reply
}

// ask asks all nodes at once, this one as well. Silent are those that did not
// answer in time, or could not.
func (c *Console) ask(ctx context.Context, q *question) (all []nodeReply, silent []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	payload, err := json.Marshal(q)
	if err != nil {
		return nil, nil, fmt.Errorf("write a question: %w", err)
	}
	var others []nodeReply
	var wg sync.WaitGroup
	wg.Go(func() { others, silent = c.askOthers(ctx, q.Kind, payload) })
	own, err := c.reply(ctx, q)
	wg.Wait()
	switch {
	case err == nil:
		others = append([]nodeReply{{c.node(), own}}, others...)
	case errors.Is(err, errBusy): // as another node would be
		silent = append([]string{c.node()}, silent...)
	default:
		return nil, silent, fmt.Errorf("answer the console: %w", err)
	}
	return others, silent, nil
}

func (c *Console) askOthers(ctx context.Context, kind string, payload []byte) (all []nodeReply, silent []string) {
	replies, silent, err := c.Bus.Ask(ctx, "", Call, payload)
	if err != nil {
		c.Log.Warn("other nodes could not be asked for the console", "question", kind, "err", err)
		return nil, c.others()
	}
	for _, r := range replies {
		n := nodeReply{node: r.Node}
		if r.Err == nil {
			r.Err = json.Unmarshal(r.Payload, &n.reply)
		}
		if r.Err != nil {
			c.Log.Warn("another node could not answer the console", "node", r.Node, "question", kind, "err", r.Err)
			silent = append(silent, r.Node)
			continue
		}
		all = append(all, n)
	}
	slices.Sort(silent)
	return all, silent
}

// node returns this node's name.
func (c *Console) node() string { return c.Bus.Members()[0].ID }

// others returns the names of the other nodes.
func (c *Console) others() (all []string) {
	for _, m := range c.Bus.Members() {
		if !m.Self {
			all = append(all, m.ID)
		}
	}
	return all
}

// onLoops calls f on each loop and returns what it returned, by loop. Loops that
// have stopped have nothing.
func onLoops[T any](ctx context.Context, c *Console, f func(loop int) T) ([]T, error) {
	type result struct {
		loop int
		of   T
	}
	results := make(chan result, len(c.Loops))
	asked := 0
	for i, l := range c.Loops {
		if l.Post(0, 0, func() { results <- result{i, f(i)} }) {
			asked++
		}
	}
	all := make([]T, len(c.Loops))
	for range asked {
		select {
		case r := <-results:
			all[r.loop] = r.of
		case <-ctx.Done():
			return nil, errBusy
		}
	}
	return all, nil
}

// expelMember throws a single channel out of a topic.
func (c *Console) expelMember(ctx context.Context, t tutti.Topic, id uint64) (int, error) {
	counts, err := onLoops(ctx, c, func(loop int) int {
		for l := range c.Topics.Shard(loop).Listeners(t) {
			if m, is := channel.MemberOf(l); is && m.ID == id && channel.ExpelMember(l) {
				return 1
			}
		}
		return 0
	})
	n := 0
	for _, one := range counts {
		n += one
	}
	return n, err
}

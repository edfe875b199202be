package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/channel"
)

const (
	// mostTopics is how many topics a node looks at for one list.
	mostTopics = 20_000
	// longestTopics is how many topics can be asked for.
	longestTopics = 1000
	// mostMembers is how many clients of a topic are shown.
	mostMembers = 500
	// mostPresence is how large the presence of a topic may be that is shown.
	mostPresence = 1 << 20
)

// A topicShare is a topic that somebody listens to.
type topicShare struct {
	Topic     string `json:"topic"`
	Private   bool   `json:"private"`
	Bare      bool   `json:"bare,omitempty"` // there is no "realtime:" before it
	Listeners int    `json:"listeners"`
	Presences int    `json:"presences"`
}

type topicKey struct {
	name          string
	private, bare bool
}

func (t *topicShare) key() topicKey { return topicKey{t.Topic, t.Private, t.Bare} }

// byListeners puts topics with most listeners first.
func byListeners(a, b topicShare) int {
	return cmp.Or(compare(b.Listeners, a.Listeners), compare(a.Topic, b.Topic))
}

// topics returns those topics of a tenant on this node that have most listeners,
// and how many there are.
func (c *Console) topics(ctx context.Context, id, search string, limit int) (all []topicShare, total int, err error) {
	var found []tutti.Topic
	search = strings.ToLower(search)
	for t := range c.Topics.All() {
		if t.Tenant != id || !strings.Contains(strings.ToLower(t.Name), search) {
			continue
		}
		total++
		if len(found) < mostTopics {
			found = append(found, t)
		}
	}
	counts, err := onLoops(ctx, c, func(loop int) []int {
		shard, counts := c.Topics.Shard(loop), make([]int, len(found))
		for i, t := range found {
			counts[i] = shard.Count(t)
		}
		return counts
	})
	if err != nil {
		return nil, 0, err
	}
	for i, t := range found {
		share := topicShare{Topic: t.Name, Private: t.Private, Bare: t.Bare}
		for _, on := range counts {
			if on != nil {
				share.Listeners += on[i]
			}
		}
		if share.Listeners == 0 { // an operator looks into it, and nobody else listens
			total--
			continue
		}
		all = append(all, share)
	}
	slices.SortFunc(all, byListeners)
	all = all[:min(len(all), limit)]
	for i := range all {
		all[i].Presences = c.Roster.Entries(all[i].topic(id))
	}
	return all, total, nil
}

func (t *topicShare) topic(tenant string) tutti.Topic {
	return tutti.Topic{Tenant: tenant, Name: t.Topic, Private: t.Private, Bare: t.Bare}
}

func (c *Console) listTopics(w http.ResponseWriter, v *visit) error {
	given, wrong := v.URL.Query(), map[string][]string{}
	limit := number(given, "limit", 100, 1, longestTopics, wrong)
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	replies, _, err := c.ask(v.Context(), &question{
		Kind: askTopics, Tenant: t.ExternalID, Search: given.Get("search"), Limit: limit,
	})
	if err != nil {
		return err
	}
	sums, total := map[topicKey]*topicShare{}, 0
	for _, r := range replies {
		total = max(total, r.Total)
		for _, one := range r.Topics {
			if sum := sums[one.key()]; sum != nil {
				sum.Listeners += one.Listeners
				sum.Presences = max(sum.Presences, one.Presences) // each node knows all
				continue
			}
			sums[one.key()] = &one
		}
	}
	all := make([]topicShare, 0, len(sums))
	for _, sum := range sums {
		all = append(all, *sum)
	}
	slices.SortFunc(all, byListeners)
	answer(w, http.StatusOK, map[string]any{"total": max(total, len(all)), "topics": all[:min(len(all), limit)]})
	return nil
}

// A memberView is a client in a topic.
type memberView struct {
	Ref     string `json:"ref"` // node and number of its channel
	Node    string `json:"node"`
	Subject string `json:"sub"`
	Role    string `json:"role"`
	Since   int64  `json:"since"`
}

// A topicView is a topic and who is in it.
type topicView struct {
	Topic     string          `json:"topic"`
	Private   bool            `json:"private"`
	Bare      bool            `json:"bare,omitempty"`
	Listeners int             `json:"listeners"`
	Total     int             `json:"total"` // clients, of which Members are the first
	Members   []memberView    `json:"members"`
	Presences int             `json:"presences"`
	Presence  json.RawMessage `json:"presence"`            // key to metas
	Truncated bool            `json:"truncated,omitempty"` // the presence is too large to be shown
}

// view returns who is in a topic on this node.
func (c *Console) view(ctx context.Context, t tutti.Topic) (*topicView, error) {
	type part struct {
		count   int
		members []channel.Member
	}
	parts, err := onLoops(ctx, c, func(loop int) (p part) {
		for l := range c.Topics.Shard(loop).Listeners(t) {
			m, is := channel.MemberOf(l)
			if !is {
				continue // it keeps a seat for somebody who is about to join
			}
			p.count++
			if len(p.members) < mostMembers {
				p.members = append(p.members, m)
			}
		}
		return p
	})
	if err != nil {
		return nil, err
	}
	view := &topicView{Topic: t.Name, Private: t.Private, Bare: t.Bare, Presence: json.RawMessage("{}")}
	node := c.node()
	for _, p := range parts {
		view.Listeners += p.count
		for _, m := range p.members {
			view.Members = append(view.Members, memberView{
				Ref: fmt.Sprintf("%s/%d", node, m.ID), Node: node, Subject: m.Subject, Role: m.Role, Since: m.Since.UnixMilli(),
			})
		}
	}
	view.Members = view.Members[:min(len(view.Members), mostMembers)]
	view.Presences = c.Roster.Entries(t)
	switch state := c.Roster.State(t); {
	case view.Listeners == 0:
	case len(state) > mostPresence:
		view.Truncated = true
	default:
		view.Presence = metas(state)
	}
	return view, nil
}

// metas takes the {"metas":...} of presence_state off.
func metas(state []byte) json.RawMessage {
	var keys map[string]struct {
		Metas json.RawMessage `json:"metas"`
	}
	if json.Unmarshal(state, &keys) != nil {
		return json.RawMessage("{}")
	}
	plain := make(map[string]json.RawMessage, len(keys))
	for key, of := range keys {
		plain[key] = of.Metas
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

// readTopic reads which topic of which tenant a request is about.
func (c *Console) readTopic(v *visit) (t tutti.Topic, err error) {
	owner, err := c.tenant(v)
	if err != nil {
		return t, err
	}
	t = tutti.Topic{Tenant: owner.ExternalID, Name: v.PathValue("topic")}
	wrong := map[string][]string{}
	for name, to := range map[string]*bool{"private": &t.Private, "bare": &t.Bare} {
		switch v.URL.Query().Get(name) {
		case "", "false":
		case "true":
			*to = true
		default:
			wrong[name] = []string{"must be true or false"}
		}
	}
	if !storable(t.Name) || len(t.Name) > longestTopic {
		wrong["topic"] = []string{"is invalid"}
	}
	if len(wrong) > 0 {
		return t, invalid(wrong)
	}
	return t, nil
}

// longestTopic is above the longest that can be joined, in bytes.
const longestTopic = 8192

func (c *Console) getTopic(w http.ResponseWriter, v *visit) error {
	t, err := c.readTopic(v)
	if err != nil {
		return err
	}
	replies, silent, err := c.ask(v.Context(), &question{Kind: askTopic, Topic: &t})
	if err != nil {
		return err
	}
	sum := topicView{Topic: t.Name, Private: t.Private, Bare: t.Bare, Members: []memberView{}, Presence: json.RawMessage("{}")}
	for _, r := range replies {
		if one := r.Topic; one != nil {
			sum.join(one)
		}
	}
	sum.Total = sum.Listeners
	sum.Members = sum.Members[:min(len(sum.Members), mostMembers)]
	answer(w, http.StatusOK, struct {
		topicView
		Unreachable []string `json:"unreachable"`
	}{sum, append([]string{}, silent...)})
	return nil
}

// join adds what another node has. Each node with listeners knows who is present
// on all of them; the one that knows most is believed.
func (t *topicView) join(o *topicView) {
	t.Listeners += o.Listeners
	t.Members = append(t.Members, o.Members...)
	if o.Presences > t.Presences {
		t.Presences, t.Presence, t.Truncated = o.Presences, o.Presence, o.Truncated
	}
}

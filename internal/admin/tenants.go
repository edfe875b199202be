package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/feed"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

const (
	// mostRead is how many tenants of a search are looked at in order to sort them.
	mostRead = 10_000
	// longestPage is the largest page that can be asked for.
	longestPage = 200
)

// A tenantShare is what a tenant has on one node.
type tenantShare struct {
	Channels int       `json:"channels,omitempty"`
	Topics   int       `json:"topics,omitempty"`
	Feed     *feedView `json:"feed,omitempty"`
}

// A feedView is how a tenant's changes are read.
type feedView struct {
	State      string   `json:"state"` // live, down, connecting or none
	LagBytes   *int64   `json:"lag_bytes"`
	LagSeconds *float64 `json:"lag_seconds"`
	Code       string   `json:"code"`
	Error      string   `json:"error"`
}

// A tenantView is a tenant as the console shows it. It holds no secret.
type tenantView struct {
	ID          string         `json:"external_id"`
	Name        string         `json:"name"`
	Connections int            `json:"connections"` // sockets with a channel, as max_concurrent_users counts them
	Channels    int            `json:"channels"`
	Topics      int            `json:"topics"`
	Events      float64        `json:"events_per_second"`
	Joins       float64        `json:"joins_per_second"`
	Presence    float64        `json:"presence_events_per_second"`
	Changes     float64        `json:"db_events_per_second"`
	Limits      map[string]any `json:"limits"`
	Suspended   bool           `json:"suspended"`
	HasDatabase bool           `json:"has_database"`
	Feed        *feedView      `json:"feed"`
}

// shares returns what tenants have on this node.
func (c *Console) shares(ctx context.Context, ids []string) (map[string]*tenantShare, error) {
	all := make(map[string]*tenantShare, len(ids))
	for _, id := range ids {
		all[id] = &tenantShare{Feed: c.feedOf(id)}
	}
	crowds, err := onLoops(ctx, c, func(loop int) []int {
		shard, some := c.Topics.Shard(loop), make([]int, len(ids))
		for i, id := range ids {
			some[i] = shard.Crowd(id)
		}
		return some
	})
	if err != nil {
		return nil, err
	}
	for _, some := range crowds {
		for i, n := range some { // nil of a loop that has stopped
			all[ids[i]].Channels += n
		}
	}
	for t := range c.Topics.All() {
		if s := all[t.Tenant]; s != nil {
			s.Topics++
		}
	}
	for id, s := range all {
		if *s == (tenantShare{}) {
			delete(all, id)
		}
	}
	return all, nil
}

func (c *Console) feedOf(id string) *feedView {
	condition, here := c.Feeds.Condition(id)
	if !here {
		return nil
	}
	v := &feedView{State: condition.State, Code: condition.Code, Error: condition.Cause}
	if t := c.Meters.Known(id); t != nil && t.Tally != nil && condition.State == feed.StateLive {
		bytes, seconds := t.Tally.Feed.LagBytes.Load(), 0.0
		if oldest := t.Tally.Feed.Oldest.Load(); oldest > 0 {
			seconds = max(0, time.Since(time.Unix(0, oldest)).Seconds())
		}
		v.LagBytes, v.LagSeconds = &bytes, &seconds
	}
	return v
}

// worse orders feeds: what is wrong on any node is shown.
func worse(a, b *feedView) *feedView {
	rank := map[string]int{feed.StateLive: 1, feed.StateConnecting: 2, feed.StateDown: 3}
	switch {
	case a == nil:
		return b
	case b == nil || rank[a.State] > rank[b.State]:
		return a
	case a.State == b.State && a.badness() >= b.badness():
		return a // the node that reads the database knows the lag; those that follow say 0
	}
	return b
}

// A tenantsQuery is the parameters of a list.
type tenantsQuery struct {
	search, sort  string
	limit, offset int
}

func readTenantsQuery(given url.Values) (q tenantsQuery, err error) {
	wrong := map[string][]string{}
	q.search = given.Get("search")
	if !storable(q.search) {
		wrong["search"] = []string{"is invalid"}
	}
	q.sort = "connections"
	if s := given.Get("sort"); s != "" {
		q.sort = s
	}
	if !slices.Contains([]string{"connections", "events", "id", "lag"}, q.sort) {
		wrong["sort"] = []string{"must be connections, events, id or lag"}
	}
	q.limit = number(given, "limit", 50, 1, longestPage, wrong)
	q.offset = number(given, "offset", 0, 0, mostRead, wrong)
	if len(wrong) > 0 {
		return q, invalid(wrong)
	}
	return q, nil
}

// number reads a parameter, and notes what is wrong with it.
func number(given url.Values, name string, standard, least, most int, wrong map[string][]string) int {
	if !given.Has(name) {
		return standard
	}
	n, err := strconv.Atoi(given.Get(name))
	if err != nil || n < least || n > most {
		wrong[name] = []string{fmt.Sprintf("must be a number from %d to %d", least, most)}
	}
	return n
}

// storable reports whether a text is one that every store can be asked for.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// A tenantsAnswer is a page of tenants.
type tenantsAnswer struct {
	Total     int          `json:"total"`
	Truncated bool         `json:"truncated,omitempty"` // there are more than mostRead
	Tenants   []tenantView `json:"tenants"`
}

func (c *Console) listTenants(w http.ResponseWriter, v *visit) error {
	q, err := readTenantsQuery(v.URL.Query())
	if err != nil {
		return err
	}
	all, truncated, err := c.find(v.Context(), q.search)
	if err != nil {
		return err
	}
	loads := c.Meters.Loads()
	var lags map[string]*feedView
	if q.sort == "lag" {
		if lags, err = c.allFeeds(v.Context(), all, loads); err != nil {
			return err
		}
	}
	sortTenants(all, q.sort, loads, lags)
	total := len(all)
	all = all[min(q.offset, total):min(q.offset+q.limit, total)]
	views, err := c.views(v.Context(), all, loads)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, tenantsAnswer{total, truncated, views})
	return nil
}

// find returns the tenants that a search finds, in the order of their ids.
func (c *Console) find(ctx context.Context, search string) (all []*tutti.Tenant, truncated bool, err error) {
	query := tutti.TenantQuery{Search: search, Limit: 1000}
	for {
		page, err := c.Registry.List(ctx, query)
		if err != nil {
			return nil, false, fmt.Errorf("list tenants: %w", err)
		}
		all = append(all, page.Tenants...)
		if page.Next == "" || len(all) >= mostRead {
			return all, page.Next != "", nil
		}
		query.After = page.Next
	}
}

// allFeeds returns the feeds of those tenants that may have one.
func (c *Console) allFeeds(ctx context.Context, all []*tutti.Tenant, loads map[string]limit.Load) (map[string]*feedView, error) {
	var ids []string
	for _, t := range all {
		if _, has, _ := tenant.Database(t); has && loads[t.ExternalID].Busy() {
			ids = append(ids, t.ExternalID)
		}
	}
	feeds := make(map[string]*feedView, len(ids))
	for some := range slices.Chunk(ids, longestPage) {
		shares, err := c.sharesOf(ctx, some)
		if err != nil {
			return nil, err
		}
		for id, s := range shares {
			feeds[id] = s.Feed
		}
	}
	return feeds, nil
}

// sortTenants puts those first who have most. They are sorted by id, which decides
// between equals.
func sortTenants(all []*tutti.Tenant, by string, loads map[string]limit.Load, feeds map[string]*feedView) {
	most := func(of func(t *tutti.Tenant) float64) {
		slices.SortStableFunc(all, func(a, b *tutti.Tenant) int { return compare(of(b), of(a)) })
	}
	switch by {
	case "connections":
		most(func(t *tutti.Tenant) float64 { return float64(loads[t.ExternalID].Users) })
	case "events":
		most(func(t *tutti.Tenant) float64 { return loads[t.ExternalID].Events })
	case "lag":
		most(func(t *tutti.Tenant) float64 { return feeds[t.ExternalID].badness() })
	}
}

// badness is greater the more is wrong with a feed.
func (f *feedView) badness() float64 {
	switch {
	case f == nil:
		return -1
	case f.State == feed.StateDown:
		return 1e18
	case f.State == feed.StateConnecting:
		return 1e17
	case f.LagBytes != nil:
		return float64(*f.LagBytes)
	}
	return 0
}

// sharesOf adds up what tenants have on all nodes.
func (c *Console) sharesOf(ctx context.Context, ids []string) (map[string]*tenantShare, error) {
	all := make(map[string]*tenantShare, len(ids))
	if len(ids) == 0 {
		return all, nil
	}
	replies, _, err := c.ask(ctx, &question{Kind: askTenants, IDs: ids})
	if err != nil {
		return nil, err
	}
	for _, r := range replies {
		for id, s := range r.Tenants {
			sum := all[id]
			if sum == nil {
				sum = &tenantShare{}
				all[id] = sum
			}
			sum.Channels += s.Channels
			sum.Topics = max(sum.Topics, s.Topics) // most are on several nodes
			sum.Feed = worse(sum.Feed, s.Feed)
		}
	}
	return all, nil
}

// views shows tenants.
func (c *Console) views(ctx context.Context, all []*tutti.Tenant, loads map[string]limit.Load) ([]tenantView, error) {
	ids := make([]string, len(all))
	for i, t := range all {
		ids[i] = t.ExternalID
	}
	shares, err := c.sharesOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	views := make([]tenantView, 0, len(all))
	for _, t := range all {
		views = append(views, show(t, loads[t.ExternalID], shares[t.ExternalID]))
	}
	return views, nil
}

func show(t *tutti.Tenant, l limit.Load, s *tenantShare) tenantView {
	_, has, _ := tenant.Database(t)
	v := tenantView{
		ID: t.ExternalID, Name: t.Name, Connections: l.Users, Events: l.Events, Joins: l.Joins, Presence: l.Presence,
		Changes: l.Changes, Limits: limitsOf(t), Suspended: t.Suspend, HasDatabase: has,
	}
	if s != nil {
		v.Channels, v.Topics, v.Feed = s.Channels, s.Topics, s.Feed
	}
	if v.Feed == nil && has {
		v.Feed = &feedView{State: "none"}
	}
	return v
}

// limitsOf returns a tenant's limits by the names of the tenants API. Those that are
// the server's own setting are null.
func limitsOf(t *tutti.Tenant) map[string]any {
	own := func(n int) any {
		if n <= 0 {
			return nil
		}
		return n
	}
	return map[string]any{
		"max_concurrent_users":                  t.MaxConcurrentUsers,
		"max_events_per_second":                 t.MaxEventsPerSecond,
		"max_joins_per_second":                  t.MaxJoinsPerSecond,
		"max_channels_per_client":               t.MaxChannelsPerClient,
		"max_bytes_per_second":                  t.MaxBytesPerSecond,
		"max_presence_events_per_second":        t.MaxPresenceEventsPerSecond,
		"max_payload_size_in_kb":                t.MaxPayloadSizeKB,
		"max_client_presence_events_per_window": own(t.ClientPresenceMaxCalls),
		"client_presence_window_ms":             own(int(t.ClientPresenceWindow.Milliseconds())),
	}
}

// isLimit reports whether a field of the tenants API is one of limitsOf.
func isLimit(name string) bool {
	_, is := limitsOf(&tutti.Tenant{})[name]
	return is
}

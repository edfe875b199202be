package feed

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// A subscription is a subscriber as its reader knows it.
type subscription struct {
	*changes.Subscriber
	viewer *viewer
	next   *viewer                // whose place it takes once it is settled; nil mostly
	wishes []changes.Subscription // what its entries ask for

	members []*changes.Member[*target] // its places in the index; none while it is pending
	queued  bool                       // it is pending
	active  bool                       // it is in the index
	told    bool                       // it was told so, and no loss since
	reason  string                     // what it was told last of why it is not
	since   time.Time                  // when it became pending

	troubled map[uint32]bool // tables whose policies fail for it; it was told so
	fault    string          // of its filters; it was told so

	placed  []placed // of the change at hand, where there may be several
	change  uint64   // which one that is
	dropped int      // changes that a limit took away, not told yet
	warned  time.Time
}

// A target is an entry of a subscription that wants the changes of a rule.
type target struct {
	subscription *subscription
	ids          [1]uint32
	selected     []string // columns, nil for all
	selection    string   // the same as one text
	seen         seen     // the view that was used last
}

// subscribed is how a client learns that it misses nothing from here on.
const subscribed = "Subscribed to PostgreSQL"

// add takes a subscription on. It is pending until it is settled.
func (r *reader) add(s *changes.Subscriber, claims tutti.Claims) {
	if r.subscriptions[s] != nil {
		return
	}
	sub := &subscription{Subscriber: s, viewer: r.view(claims.Role, claims.Raw)}
	r.subscriptions[s] = sub
	for _, e := range s.Entries {
		wish, err := e.Parse()
		if err != nil {
			r.refuse(sub, err.Error())
			sub.wishes = nil
			return
		}
		sub.wishes = append(sub.wishes, wish)
	}
	r.await(sub)
	if r.failure != nil {
		r.tellPending()
	}
}

// renew makes other claims count, as soon as they are settled. Until then those
// before do, so that nothing is missed.
func (r *reader) renew(s *subscription, claims tutti.Claims) {
	if s.next != nil {
		r.leave(s.next)
	}
	s.next = r.view(claims.Role, claims.Raw)
	if len(s.wishes) > 0 {
		r.await(s)
	}
}

// await leaves a subscription to be settled.
func (r *reader) await(s *subscription) {
	if !s.queued {
		s.queued, s.since = true, time.Now()
		r.pending = append(r.pending, s)
	}
}

// succeed makes the claims count that a subscription was renewed with.
func (r *reader) succeed(s *subscription) {
	if s.next != nil {
		r.leave(s.viewer)
		s.viewer, s.next = s.next, nil
	}
}

// suspend takes a subscription out of the index, to be settled anew.
func (r *reader) suspend(s *subscription) {
	r.withdraw(s)
	s.told = false
	if len(s.wishes) > 0 {
		r.await(s)
	}
}

func (r *reader) withdraw(s *subscription) {
	for _, m := range s.members {
		r.index.Remove(m)
	}
	s.members, s.active = nil, false
}

// remove forgets a subscription.
func (r *reader) remove(s *subscription) {
	r.withdraw(s)
	s.wishes = nil // not to be settled
	r.succeed(s)
	r.leave(s.viewer)
	delete(r.subscriptions, s.Subscriber)
	if len(r.pending) > 2*len(r.subscriptions) { // while there is no database, they come and go
		r.pending = slices.DeleteFunc(r.pending, func(p *subscription) bool { return len(p.wishes) == 0 })
	}
}

// refuse tells a subscription why it gets nothing, once.
func (r *reader) refuse(s *subscription, reason string) {
	r.withdraw(s)
	s.told = false
	if s.reason != reason {
		s.reason = reason
		r.feeds.say(s.Subscriber, statusError, reason)
	}
}

func (r *reader) refuseAll(reason string) {
	for _, s := range r.subscriptions {
		r.refuse(s, reason)
		s.queued = false
	}
	r.pending = nil
}

// settle admits pending subscriptions, or refuses them for good. While the feed
// is not live, or the database does not answer, they stay pending.
func (r *reader) settle(ctx context.Context) {
	if len(r.pending) == 0 || !r.live.Load() {
		return
	}
	all := r.pending
	r.pending = nil
	for _, s := range all {
		s.queued = false
	}
	if err := r.knowRoles(ctx, all); err != nil {
		r.postpone(all, err)
		return
	}
	bound, unknown := r.bind(all)
	if slices.ContainsFunc(unknown, r.catalog.before) {
		if err := r.refresh(ctx); err != nil {
			r.postpone(all, err)
			return
		}
		bound, _ = r.bind(all)
	}
	if err := r.examine(ctx, bound); err != nil {
		r.postpone(all, err)
		return
	}
	for _, b := range bound {
		r.admit(b)
	}
}

// postpone leaves subscriptions pending whose database does not answer.
func (r *reader) postpone(all []*subscription, err error) {
	for _, s := range all {
		r.await(s)
	}
	r.log.Warn("subscriptions wait for the database", "code", "UnableToSubscribeToPostgres", "subscriptions", len(all), "err", err)
	for _, s := range all {
		if len(s.wishes) > 0 {
			r.explain(s, "DatabaseUnavailable")
		}
	}
}

// A binding is what a subscription asks for, bound to the tables that there are.
type binding struct {
	*subscription
	rules []rule
	err   error
	quiet bool // it is subscribed, and need not be told so
}

type rule struct {
	*changes.Rule
	wish *changes.Subscription
}

// bind binds subscriptions to the catalog. Unknown are those that name what is
// not in it.
func (r *reader) bind(all []*subscription) (bound []*binding, unknown []*subscription) {
	for _, s := range all {
		if len(s.wishes) == 0 || s.active && s.next == nil {
			continue // ended, or admitted a moment ago
		}
		b := &binding{subscription: s}
		bound = append(bound, b)
		if b.err = b.check(r.catalog); b.err != nil {
			unknown = append(unknown, s)
		}
	}
	return bound, unknown
}

// role returns the role that a subscription has, once it is settled.
func (s *subscription) role() string {
	if s.next != nil {
		return s.next.role
	}
	return s.viewer.role
}

func (b *binding) check(c *catalog) error {
	role := c.role(b.role())
	b.rules = nil
	for i := range b.wishes {
		wish := &b.wishes[i]
		if role == nil {
			return wish.Refuse("42704", `role "`+b.role()+`" does not exist`)
		}
		rules, err := changes.Check(role, wish)
		if err != nil {
			return err
		}
		for _, one := range rules {
			b.rules = append(b.rules, rule{one, wish})
		}
	}
	return nil
}

// examine asks the database about the conditions that only it can judge. One
// that it cannot evaluate must not be among those that it is asked about when
// changes come.
func (r *reader) examine(ctx context.Context, bound []*binding) error {
	var conditions []postgres.Condition
	var owners []*binding
	var wishes []*changes.Subscription
	for _, b := range bound {
		for _, one := range b.rules {
			for _, f := range one.Doubtful() {
				c, ok := condition(one.Relation, f)
				if !ok {
					continue
				}
				conditions, owners, wishes = append(conditions, c), append(owners, b), append(wishes, one.wish)
			}
		}
	}
	if len(conditions) == 0 {
		return nil
	}
	faults, err := r.db.Accept(ctx, conditions)
	if err != nil {
		return err
	}
	for i, fault := range faults {
		if fault == nil || owners[i].err != nil {
			continue
		}
		owners[i].err = fault
		if answer, ok := errors.AsType[*pgconn.PgError](fault); ok {
			owners[i].err = refusal(wishes[i], answer)
		}
	}
	return nil
}

// refusal returns what a client learns of an answer of the database about one of
// its conditions. Database, section 3.3.
func refusal(wish *changes.Subscription, answer *pgconn.PgError) error {
	const invalidRegularExpression = "2201B"
	if answer.Code == invalidRegularExpression {
		return wish.Refuse("P0001", "invalid regular expression for match filter: "+answer.Message)
	}
	return wish.Refuse(answer.Code, answer.Message)
}

// condition returns a filter as the database is asked about it.
func condition(relation *changes.Relation, f changes.Filter) (postgres.Condition, bool) {
	for _, c := range relation.Columns {
		if c.Name == f.Column {
			return postgres.Condition{Type: c.Type, Op: string(f.Op), Value: f.Value, Negate: f.Negate}, true
		}
	}
	return postgres.Condition{}, false
}

// admit puts a subscription into the index, or refuses it.
func (r *reader) admit(b *binding) {
	s := b.subscription
	r.succeed(s)
	if b.err != nil {
		r.log.Info("subscription refused", "code", "RealtimeDisabledForConfiguration", "topic", s.Topic, "reason", reasonOf(b.err))
		r.refuse(s, b.err.Error())
		return
	}
	r.withdraw(s)
	for _, one := range b.rules {
		t := &target{
			subscription: s, ids: [1]uint32{one.wish.ID},
			selected: one.wish.Select, selection: strings.Join(one.wish.Select, "\x00"),
		}
		s.members = append(s.members, r.index.Add(one.Rule, t))
	}
	s.active = true
	if !b.quiet {
		r.affirm(s)
	}
}

// affirm tells a subscription that it misses nothing from here on.
func (r *reader) affirm(s *subscription) {
	s.told, s.reason = true, ""
	r.feeds.say(s.Subscriber, statusOK, subscribed)
}

// acknowledge affirms those that were told of a loss.
func (r *reader) acknowledge() {
	for _, s := range r.subscriptions {
		if s.active && !s.told {
			r.affirm(s)
		}
	}
}

// tellPending tells those that wait what they wait for, once.
func (r *reader) tellPending() {
	for _, s := range r.pending {
		if len(s.wishes) > 0 {
			r.explain(s, r.failure.Code)
		}
	}
}

// explain tells a subscription that it has to wait. Hosts and roles are not for
// clients, the log and the doctor have them.
func (r *reader) explain(s *subscription, code string) {
	reason := "Unable to subscribe to changes: " + code +
		". It is tried again; the server's log, and its command doctor, say what helps"
	if s.reason != reason {
		s.reason = reason
		r.feeds.say(s.Subscriber, statusError, reason)
	}
}

// tellLost tells everybody that changes are missing.
func (r *reader) tellLost() {
	for _, s := range r.subscriptions {
		if s.active && s.told {
			s.told = false
			r.feeds.say(s.Subscriber, statusError, "Changes were lost: ReplicationSlotLost. Read anew what you need; what commits after the next `"+
				subscribed+"` is delivered")
		}
	}
}

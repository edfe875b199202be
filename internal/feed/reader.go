package feed

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/relay"
	"github.com/tutti-realtime/tutti/internal/tally"
	"github.com/tutti-realtime/tutti/internal/trace"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// A reader reads the database of one tenant. All but its inbox belongs to the
// goroutine of run.
type reader struct {
	feeds  *Feeds
	tenant string
	log    *slog.Logger
	inbox  inbox
	landed chan struct{} // rings when loops have handed something out

	trouble atomic.Pointer[wal.Failure] // what keeps the stream from being live, for Condition

	live atomic.Bool // every change that commits from now on will be read

	settings tutti.Database
	place    tutti.Database // whose stream source is
	owner    *tutti.Tenant
	limit    int // events per second
	meters   *limit.Tenant
	clients  int // with a channel, who may want messages
	waiters  []waiter

	subscriptions map[*changes.Subscriber]*subscription
	pending       []*subscription // not in the index yet
	viewers       map[identity]*viewer
	index         changes.Index[*target]
	lonely        time.Time // since when nobody wants anything; zero while somebody does
	looked        time.Time // when it was looked whether messages can be delivered

	db     *postgres.Database
	source source
	shared *relay.Stream // the source, where nodes share it
	// publications are those whose tables count, from when the stream has found out.
	publications []string
	reading      atomic.Pointer[wal.Feed]
	unprepared   context.CancelCauseFunc // ends the stream, where something is missing that it was prepared for
	// prepared says that the database has what messages need.
	prepared  atomic.Bool
	forgeries limit.Window // lines of the log about them
	published int          // bytes of messages that the loops were not asked about yet
	queue     *queue
	waiting   []item            // taken from the queue and not worked on
	handed    int               // changes of waiting that were handed out, when that was interrupted
	judging   int               // items of waiting that are worked on
	visible   postgres.Snapshot // what could be seen when that was asked last
	announced int               // changes of waiting up to which messages were published
	failure   *wal.Failure
	catalog   *catalog
	plans     plans
	// introduced grows whenever more is known of viewers.
	introduced uint64
	flights    []*flight    // handed to loops, in order
	aloft      atomic.Int64 // deliveries that loops were given and have not made
	// aloftBytes is how many bytes these hold.
	aloftBytes atomic.Int64
	change     uint64      // counts changes that are handed out
	hits       []hit       // memory for those of the next batch
	connecting *trace.Span // until the stream is live
}

// What makes a reader begin anew, or end.
var (
	errOtherDatabase = errors.New("the tenant has another database")
	errIdle          = errors.New("nobody subscribes")
	errPrepared      = errors.New("the database has what messages need, now")
	errUnprepared    = errors.New("what messages need is gone")
	errRestart       = errors.New("somebody wants it to begin anew")
	errInterrupted   = errors.New("there are urgent orders")
)

// beat is how often a reader looks after what nothing else reminds it of.
const beat = 2 * time.Second

func newReader(f *Feeds, id string, settings tutti.Database) *reader {
	return &reader{
		feeds: f, tenant: id, settings: settings, log: f.Log.With("tenant", id),
		inbox:         inbox{bell: make(chan struct{}, 1), hurry: make(chan struct{}, 1)},
		landed:        make(chan struct{}, 1),
		meters:        f.Meters.Of(id),
		subscriptions: map[*changes.Subscriber]*subscription{},
		viewers:       map[identity]*viewer{},
		plans:         plans{},
	}
}

// run reads the tenant's database, and the one that takes its place, until the
// context ends, the tenant is gone or nobody subscribes any more.
func (r *reader) run(ctx context.Context) {
	defer r.abandon()
	r.stand()
	defer r.standDown()
	if r.inbox.condemned() { // it was made to drop what another left
		r.drop(ctx, r.settings)
		if r.feeds.retire(r) {
			return
		}
	}
	for {
		settings := r.settings
		err := r.serve(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errIdle):
			if r.inbox.idle() {
				r.count(tally.FeedStops, 1)
				r.abandon()
				r.drop(ctx, settings) // who comes meanwhile waits in the inbox
				if r.feeds.retire(r) {
					return
				}
			}
		case errors.Is(err, errNoTenant):
			r.forgetAll()
			r.abandon()
			r.drop(ctx, settings)
			if r.feeds.retire(r) {
				return
			}
		case errors.Is(err, errOtherDatabase):
			if elsewhere(settings, r.settings) {
				r.abandon()
				r.drop(ctx, settings)
			}
		case errors.Is(err, errPrepared), errors.Is(err, errRestart):
		case err != nil:
			r.log.Error("feed ended and begins anew", "code", "FeedFailed", "err", err)
		}
	}
}

// gone is what those learn whose database was taken away.
const gone = "Changes are no longer delivered: the tenant has no database any more"

// forgetAll ends all subscriptions of a tenant that is gone.
func (r *reader) forgetAll() {
	r.refuseAll(gone)
	for _, s := range r.subscriptions {
		r.remove(s)
	}
	r.pending, r.clients = nil, 0
}

// serve reads one database.
func (r *reader) serve(ctx context.Context) (err error) {
	r.db, err = postgres.OpenDatabase(r.settings)
	if err != nil {
		return r.serveNothing(ctx, err)
	}
	defer r.db.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.begin()
	var stream sync.WaitGroup
	defer stream.Wait()
	stream.Go(func() { stop(r.stream(ctx)) })
	defer stop(nil)
	pulse := time.NewTicker(beat)
	defer pulse.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.inbox.bell:
		case <-r.queue.bell:
		case <-r.landed:
		case <-pulse.C:
			r.standing().LagBytes.Store(r.lag())
			if err := r.attend(ctx); err != nil {
				return err
			}
		}
		if err := r.obey(); err != nil {
			return err
		}
		if err := r.work(ctx); err != nil && !errors.Is(err, errInterrupted) {
			return err
		}
	}
}

// serveNothing waits until a database that cannot even be opened is another.
func (r *reader) serveNothing(ctx context.Context, why error) error {
	r.log.Error("database cannot be opened", "code", tutti.DatabaseSettingsInvalid, "err", why)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.inbox.bell:
		}
		if err := r.obey(); err != nil {
			return err
		}
		r.refuseAll(unsettled(why))
	}
}

// begin makes everything of a database anew, for the subscriptions that there
// are. With the same slot as before it goes on where that was left, so that
// nobody misses anything or gets it twice.
func (r *reader) begin() {
	same := r.source != nil && !elsewhere(r.place, r.settings)
	r.place, r.looked = r.settings, time.Now()
	r.live.Store(false)
	if same {
		return
	}
	r.queue = newQueue()
	r.waiting, r.flights, r.published, r.handed, r.announced = nil, nil, 0, 0, 0
	r.failure, r.catalog, r.visible = nil, nil, postgres.Snapshot{}
	for _, s := range r.subscriptions {
		r.suspend(s)
	}
	r.abandon()
	r.connects("")
	r.open()
}

// obey does what was ordered.
func (r *reader) obey() error {
	var err error
	select { // it has done its work
	case <-r.inbox.hurry:
	default:
	}
	orders := r.inbox.take()
	for i, o := range orders {
		switch o.kind {
		case enter:
			r.clients++
			err = errors.Join(err, r.own(o))
		case leave:
			r.clients = max(0, r.clients-1) // a tenant that is gone takes them along
		case subscribe:
			err = errors.Join(err, r.own(o))
			r.add(o.subscriber, o.subscriber.Claims)
		case await:
			r.waiters = append(r.waiters, o.waiter)
		case renew:
			if s := r.subscriptions[o.subscriber]; s != nil {
				r.renew(s, o.claims)
			}
		case unsubscribe:
			if s := r.subscriptions[o.subscriber]; s != nil {
				r.remove(s)
			}
		case change:
			err = errors.Join(err, r.own(o))
		case remove:
			r.inbox.putBack(orders[i+1:])
			return errNoTenant
		}
	}
	if len(r.subscriptions) > 0 || r.clients > 0 {
		r.lonely = time.Time{}
	} else if r.lonely.IsZero() {
		r.lonely = time.Now()
	}
	if err == nil && !r.lonely.IsZero() && time.Since(r.lonely) >= r.feeds.Idle {
		err = errIdle
	}
	return err
}

// own takes over what an order says of the tenant.
func (r *reader) own(o order) error {
	r.owner, r.limit = o.tenant, o.tenant.MaxEventsPerSecond
	if o.settings == r.settings {
		return nil
	}
	r.settings = o.settings
	return errOtherDatabase
}

// attend looks after what is due now and then.
func (r *reader) attend(ctx context.Context) error {
	r.tellDropped()
	if r.live.Load() && !r.prepared.Load() && time.Since(r.looked) > catalogAge {
		r.looked = time.Now()
		if _, err := r.db.Prepare(ctx); err == nil {
			return errPrepared
		}
	}
	if r.live.Load() && len(r.subscriptions) > 0 && r.catalog.stale() {
		if err := r.refresh(ctx); err != nil {
			r.log.Warn("catalog could not be read", "code", "CatalogFailed", "err", err)
		}
	}
	return nil
}

// work does what there is to do: takes note of the stream's states, admits
// subscriptions, hands out changes, confirms those that were handed out.
func (r *reader) work(ctx context.Context) error {
	r.confirm()
	for {
		if len(r.waiting) == 0 {
			r.waiting = r.queue.take()
		}
		for len(r.waiting) > 0 && r.waiting[0].state != nil {
			r.note(r.waiting[0].state)
			r.waiting = r.waiting[1:]
		}
		r.tellReady() // the state may be new
		r.settle(ctx)
		r.stand()
		if len(r.waiting) == 0 {
			return nil
		}
		n := 0
		for n < len(r.waiting) && r.waiting[n].state == nil {
			n++
		}
		r.judging = n
		r.standing().Oldest.Store(r.waiting[0].tx.Committed.UnixNano())
		if err := r.judge(ctx, r.waiting[:n]); err != nil {
			return err
		}
		r.waiting = r.waiting[n:]
		r.confirm()
	}
}

// note takes note of a state of the stream.
func (r *reader) note(s wal.State) {
	r.remember(s)
	switch s := s.(type) {
	case wal.Live:
		r.connected()
		r.failure = nil
		r.live.Store(true)
		r.log.Info("feed is live", "slot", r.slot(r.place), "since", wal.FormatLSN(s.Since))
		r.acknowledge()
	case wal.Down:
		r.connects(s.Failure.Code)
		r.live.Store(false)
		r.count(tally.FeedFailures, 1)
		if r.failure == nil || r.failure.Code != s.Failure.Code {
			r.log.Warn("feed is down", "code", s.Failure.Code, "err", s.Failure)
		}
		r.failure = s.Failure
		r.tellPending()
	case wal.Lost:
		r.count(tally.FeedLosses, 1)
		r.log.Error("changes were lost: the replication slot was gone", "code", wal.ReplicationSlotLost,
			"from", wal.FormatLSN(s.From), "to", wal.FormatLSN(s.To))
		r.tellLost()
	}
}

// insist asks the database until it answers, and returns why not if the reader
// has to do something else. What is wrong is logged once in a while.
func (r *reader) insist(ctx context.Context, question string, ask func(context.Context) error) error {
	const first, longest = 100 * time.Millisecond, 5 * time.Second
	for wait := first; ; wait = min(2*wait, longest) {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.count(tally.QueryFailures, 1)
		r.log.Warn("database did not answer, it is asked again", "code", "DatabaseUnavailable",
			"question", question, "err", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.inbox.hurry:
			return errInterrupted
		case <-time.After(wait):
		}
	}
}

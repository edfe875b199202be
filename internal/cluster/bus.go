package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tutti-realtime/tutti"
)

// A Bus is a node's place in a cluster of several. New makes one; its exported
// fields are set before Run and not changed.
type Bus struct {
	// Arrive takes each message for the listeners of this node, its own ones on
	// the caller's stack, as Local does. It only queues. Should it block, what
	// comes from other nodes waits behind it, up to Settings.Incoming.
	Arrive func(tutti.Message)
	// Hear takes what a room of another node says about a topic that this node
	// wants. Order is kept with Arrive, by topic and sender.
	Hear func(Note)
	// Told takes calls that want no answer, one after another.
	Told func(Call)
	// Asked answers calls, many at a time. ctx ends with the bus.
	Asked func(context.Context, Call) ([]byte, error)
	// Changed is told what happens to members, one after another.
	Changed func(Event)
	// Missed is told of topics of which messages of other nodes were lost on the
	// way. None at all means that it may be any topic, and calls as well.
	Missed func([]tutti.Topic)
	// Load says how busy the node is, for the other nodes. It does not call the
	// Bus.
	Load func() map[string]float64
	// Peers lists the addresses of other nodes: Static, DNS, or one's own. It is
	// asked again each Settings.Lost.
	Peers func(context.Context) ([]string, error)

	settings Settings
	log      *slog.Logger
	epoch    uint64
	engine   *engine
	conn     *nats.Conn
	clock    *clock
	stats    counts
	times    callTimes
	ready    chan struct{}
	stopped  chan struct{}

	out      *outbox
	interest *interest
	lanes    []*lane
	topical  chan *nats.Msg // of topics
	direct   chan *nats.Msg // to this node or to all
	tells    chan Call
	news     *news
	asks     asks
	working  sync.WaitGroup // goroutines that answer calls

	subscribing sync.Mutex    // held while topics are subscribed to
	places      chan struct{} // for those

	mu      sync.Mutex // guards desk and over; what is called under it only queues
	desk    *desk
	over    bool
	started bool
}

// laneCount is how many topics can be handed on at once. One that blocks holds
// up an eighth of the others.
const laneCount = 8

const (
	topicalRoom = 1 << 14 // messages between the connection and the lanes
	directRoom  = 1 << 13
	answering   = 64 // calls that are answered at once
)

// New returns a node that is not in the cluster yet. The error says what is
// wrong with the settings: above all, that they would open the bus to a
// network without TLS and credentials.
func New(s Settings, log *slog.Logger) (*Bus, error) {
	s, err := s.normal()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	b := &Bus{
		settings: s, log: log, epoch: uint64(now.UnixNano()), clock: newClock(),
		ready: make(chan struct{}), stopped: make(chan struct{}),
		out:      &outbox{bell: make(chan struct{}, 1), limit: s.Outgoing},
		interest: &interest{count: uint32(s.Buckets), linger: s.Linger, bell: make(chan struct{}, 1), buckets: map[uint32]*bucket{}},
		topical:  make(chan *nats.Msg, topicalRoom), direct: make(chan *nats.Msg, directRoom),
		tells: make(chan Call, directRoom), news: newNews(), places: make(chan struct{}, answering),
	}
	for range laneCount {
		b.lanes = append(b.lanes, newLane(s.Incoming/laneCount))
	}
	b.desk = newDesk(s.Node, b.epoch, newPace(s.Lost), s.Quorum)
	b.desk.unix = func() int64 { return time.Now().UnixMilli() }
	b.desk.info = b.introduce
	b.desk.post = func(to string, k kind, payload []byte) {
		_ = b.out.put(parcel{kind: k, to: to, message: tutti.Message{Payload: payload}}, 0) // the node stops
	}
	return b, nil
}

// Publish sends a message to every node that wants its topic, this one
// included. It never blocks. Messages of one caller to one topic keep their
// order.
func (b *Bus) Publish(m tutti.Message) {
	b.Arrive(m)
	m.Sender = 0 // a channel's number means nothing elsewhere
	b.send(parcel{kind: kindMessage, message: m})
}

// A Note is what a room says to itself on other nodes about a topic.
type Note struct {
	Node    string // the sender
	Room    string // such as "presence"
	Topic   tutti.Topic
	Payload []byte
}

// Note sends a note to the other nodes that want the topic, in order with
// Publish. Payload is not changed afterwards.
func (b *Bus) Note(room string, t tutti.Topic, payload []byte) {
	b.send(parcel{kind: kindNote, message: tutti.Message{Topic: t, Event: room, Payload: payload}})
}

func (b *Bus) send(p parcel) {
	if b.out.put(p, b.interest.of(p.message.Topic)) != nil {
		b.stats.unsent.Add(1)
	}
}

// Want says that somebody on this node listens to a topic from now on, or no
// longer: as often no as yes. It never blocks; it is a moment (on one machine
// a millisecond) until other nodes know. A node that hears a call which was made
// after it knows. It is forgotten Settings.Linger after
// the last no.
func (b *Bus) Want(t tutti.Topic, yes bool) { b.interest.want(t, yes, time.Now()) }

// Ready is closed when the node has begun to speak and to listen.
func (b *Bus) Ready() <-chan struct{} { return b.ready }

// Address returns where other nodes reach this one, host:port, once it is
// Ready; "" with an external NATS.
func (b *Bus) Address() string {
	if b.engine == nil {
		return ""
	}
	return b.engine.address()
}

// Epoch is this node's, as other nodes are told it.
func (b *Bus) Epoch() uint64 { return b.epoch }

// Members returns the nodes that are in the cluster as this one hears it, this
// one first, the others by name.
func (b *Bus) Members() []Member {
	b.mu.Lock()
	defer b.mu.Unlock()
	self, _ := decodeMember(b.introduce())
	self.ID, self.Epoch, self.Self = b.settings.Node, b.epoch, true
	all := []Member{self}
	now := b.clock.now()
	for _, p := range b.desk.peers {
		if p.info != nil {
			m := p.member
			m.RoundTrip, m.Silent = p.rtt, now-p.heard
			all = append(all, m)
		}
	}
	slices.SortFunc(all[1:], func(x, y Member) int { return strings.Compare(x.ID, y.ID) })
	return all
}

// introduce returns what a node says of itself. The lock is held.
func (b *Bus) introduce() []byte {
	m := Member{
		Region: b.settings.Region, Version: b.settings.Version, Addresses: b.settings.Addresses,
		Buckets: b.settings.Buckets, Missed: b.stats.missed.Load(),
	}
	for id, p := range b.desk.peers {
		if p.rtt > 0 {
			if m.RoundTrips == nil {
				m.RoundTrips = make(map[string]float64, len(b.desk.peers))
			}
			m.RoundTrips[id] = float64(p.rtt.Microseconds()) / 1000
		}
	}
	if b.Load != nil {
		m.Load = b.Load()
	}
	info, err := json.Marshal(&m)
	if err != nil { // a load that is no number
		m.Load = nil
		info, _ = json.Marshal(&m)
	}
	return info
}

// withDesk calls f while nobody else uses the desk.
func (b *Bus) withDesk(f func(now time.Duration)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return errStopped
	}
	now := b.clock.now()
	b.desk.begin(now)
	f(now)
	b.tellNews()
	return nil
}

// tellNews passes on what the desk found out. The lock is held.
func (b *Bus) tellNews() {
	for _, h := range b.desk.happened {
		b.news.event(Event{h.kind, h.member})
	}
	b.desk.happened = b.desk.happened[:0]
}

// Run is the node's life in the cluster. When ctx ends it gives its leases up,
// says goodbye and returns when all goroutines have ended. A Bus runs once.
func (b *Bus) Run(ctx context.Context) (err error) {
	b.mu.Lock()
	if b.started {
		b.mu.Unlock()
		return errors.New("a bus runs once")
	}
	b.started = true
	b.mu.Unlock()
	defer b.end()
	if b.settings.URL == "" {
		if b.engine, err = newEngine(&b.settings, b.epoch, b.log); err != nil {
			return err
		}
		defer b.engine.stop()
	}
	if b.conn, err = b.connect(); err != nil {
		return err
	}
	defer b.conn.Close()
	if err := b.listen(); err != nil {
		return err
	}
	return b.work(ctx)
}

// work runs the goroutines of the node until ctx ends.
func (b *Bus) work(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	b.mu.Lock()
	b.desk.award = func(name string, term Term) *Lease {
		return newLease(running, name, term, b.clock.now, b.release)
	}
	b.mu.Unlock()
	var sending sync.WaitGroup
	sending.Go(func() { b.deliver(running) })
	for _, l := range b.lanes {
		all.Go(func() { l.run(running, b.hand) })
	}
	for _, run := range []func(context.Context){b.receive, b.attend, b.tend, b.watch, b.hearTells, b.announce, b.discover} {
		all.Go(func() { run(running) })
	}
	close(b.ready)
	<-ctx.Done()
	b.end()
	b.out.close()
	quiet, cancel := context.WithTimeout(running, b.settings.Lost/5)
	all.Go(func() { sending.Wait(); cancel() })
	<-quiet.Done()
	_ = b.conn.FlushTimeout(b.settings.Lost / 5) // a goodbye that is not heard is a silence that is
	stop()
	sending.Wait()
	all.Wait()
	b.working.Wait()
	return context.Cause(ctx)
}

// end gives up what the node has. It may be called more than once.
func (b *Bus) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		b.over = true
		b.desk.goodbye(b.clock.now())
		close(b.stopped)
	}
}

func (b *Bus) release(l *Lease) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.desk.tenures[l.Name]; t != nil && t.lease == l {
		b.desk.lose(b.clock.now(), l.Name)
	}
}

// watch lets the desk look at the clock.
func (b *Bus) watch(ctx context.Context) {
	ticker := time.NewTicker(b.desk.pace.tick())
	defer ticker.Stop()
	for {
		_ = b.withDesk(b.desk.tick)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// connect returns the connection to NATS.
func (b *Bus) connect() (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("tutti " + b.settings.Node), nats.NoEcho(),
		nats.MaxReconnects(-1), nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectBufSize(-1), // what cannot be sent now is lost, and counted
		nats.FlusherTimeout(b.settings.Lost), nats.PingInterval(b.settings.Lost),
		nats.ErrorHandler(b.trouble), nats.DisconnectErrHandler(b.disconnected),
		nats.ReconnectHandler(func(*nats.Conn) { b.lostAny("connected again") }),
	}
	if b.engine != nil {
		options = append(options, b.engine.client()...)
	} else {
		options = append(options, nats.RetryOnFailedConnect(true))
		if b.settings.User != "" {
			options = append(options, nats.UserInfo(b.settings.User, b.settings.Password))
		}
		if b.settings.TLS != nil {
			options = append(options, nats.Secure(b.settings.TLS.Clone()))
		}
		if b.settings.Credentials != "" {
			options = append(options, nats.UserCredentials(b.settings.Credentials))
		}
	}
	conn, err := nats.Connect(b.settings.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return conn, nil
}

// listen subscribes to what is for all nodes, and for this one.
func (b *Bus) listen() error {
	for _, subject := range []string{b.toAll(), b.toNode(b.settings.Node)} {
		if _, err := b.conn.ChanSubscribe(subject, b.direct); err != nil {
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	return nil
}

// Subjects. The name of the cluster comes first, so that several can share a
// NATS. A node's name may hold dots, and a topic's anything.

func (b *Bus) toAll() string { return b.prefix() + "all" }

func (b *Bus) toNode(id string) string {
	return b.prefix() + "n." + strconv.FormatUint(keyOf(id, 0), 36)
}

func (b *Bus) toBucket(n uint32) string { return b.prefix() + "t." + strconv.FormatUint(uint64(n), 36) }

func (b *Bus) prefix() string { return strings.ReplaceAll(b.settings.Name, ".", "_") + "." }

package socket

import (
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

const (
	// readSize is the bytes read from a connection at once, into a buffer that
	// all connections of a loop share.
	readSize = 64 << 10
	// writeSize is the most that is gathered for one write.
	writeSize = 64 << 10
	// turn is how many deliveries are queued before sockets are looked after.
	turn = 20_000
	// gap is how many connections are written to before new input is looked
	// for, so that a reply waits for half a millisecond at most.
	gap = 64
)

// A poller waits for something to do. *epoll and *bell do.
type poller interface {
	// wait returns when connections are ready, having told the loop which, or
	// when wake was called, or after d; a negative d means never.
	wait(d time.Duration)
	// wake may be called by any goroutine.
	wake()
	close()
}

// A loop runs a share of the connections. All its fields but the mailbox
// belong to the goroutine that runs it.
type loop struct {
	server *Server
	index  int
	desk   *channel.Desk
	poll   poller
	mail   mailbox

	slots      []*conn // nil where there is none
	generation uint32  // of the last connection
	free       []int32 // places in slots that may be used again
	count      int     // connections
	swept      int     // the slot at which the sweep goes on
	dirty      []*conn // have something to write
	work       []task  // taken from the mailbox; done up to worked
	worked     int
	timers     timers
	boxes      []*outbox // spare ones
	input      []byte
	output     []byte
	frame      phoenix.Frame  // the frame at hand
	empty      func()         // called when the last connection is gone
	streams    sync.WaitGroup // the goroutines of streams
	sweeps     bool           // a sweep is scheduled
	held       bool           // there was something to read, and it was not
	readied    uint32         // connections that were ready so far
	stopped    bool
	streak     streak  // of writes that are not counted yet
	backlog    backlog // of the connections that this sweep has looked at
}

func newLoop(s *Server, index int) (*loop, error) {
	l := &loop{server: s, index: index, input: make([]byte, readSize), output: make([]byte, 0, writeSize)}
	var err error
	l.poll, err = newPoller(l, s.Settings.Portable)
	return l, err
}

// Enqueue makes the loop hand out a message soon.
func (l *loop) Enqueue(m *hub.Message) { l.mail.put(task{message: m}, l.poll.wake) }

// Post makes the loop call f soon. When f panics over a client it is called
// again, to go on with the next.
func (l *loop) Post(deliveries, bytes int, f func()) bool {
	return l.mail.put(task{f: f, size: deliveries, bytes: bytes}, l.poll.wake)
}

// post makes the loop call f soon, and reports whether it will: not once it
// has been stopped.
func (l *loop) post(f func()) bool { return l.Post(0, 0, f) }

// run is the loop. It owns all connections that were given to it, and closes
// what is left when it is stopped.
func (l *loop) run() {
	l.scheduleAbandoned()
	for !l.stopped {
		l.poll.wait(l.patience())
		l.breathe()
		l.fireTimers()
		l.doWork()
		l.flushDirty()
	}
	for _, t := range append(l.work[l.worked:], l.mail.close()...) {
		if t.f != nil {
			t.f() // a connection may be among them
		}
	}
	for _, c := range l.slots {
		if c != nil {
			c.gone()
		}
	}
	l.streams.Wait()
	l.poll.close()
}

func (l *loop) stop() { l.stopped = true }

// patience is how long the loop may sleep now.
func (l *loop) patience() time.Duration {
	if l.worked < len(l.work) || len(l.dirty) > 0 || !l.mail.rest() {
		return 0
	}
	if d, some := l.timers.next(time.Now()); some {
		return d
	}
	return -1
}

func (l *loop) fireTimers() {
	for now := time.Now(); ; {
		t := l.timers.due(now)
		if t == nil {
			return
		}
		t.f()
	}
}

// doWork does what is in the mailbox, up to a turn.
func (l *loop) doWork() {
	if l.worked == len(l.work) {
		clear(l.work)
		l.work, l.worked = l.mail.take(l.work), 0
	}
	attended := 0
	for done := 0; done < turn && l.worked < len(l.work); l.worked++ {
		if done-attended >= gap {
			attended = done
			l.attend()
		}
		t := l.work[l.worked]
		l.work[l.worked] = task{}
		l.mail.weight.Add(-t.weight())
		done++
		if t.message != nil {
			done += l.deliver(t.message)
		} else {
			l.do(t)
			done += t.size
		}
	}
}

func (l *loop) do(t task) {
	if t.size == 0 {
		t.f()
		return
	}
	l.hand(t.f)
	l.server.Metrics.handedOut(l.index, t.size)
}

// flushDirty writes to all connections that something was queued for. Those for
// which something comes meanwhile wait for the next turn: clients that never
// cease to ask would keep everything else of the loop waiting.
func (l *loop) flushDirty() {
	n := len(l.dirty)
	for i := range n {
		if i%gap == gap-1 {
			l.poll.wait(0)
			l.attend()
		}
		c := l.dirty[i]
		c.dirty = false
		c.flush()
	}
	l.settle()
	rest := copy(l.dirty, l.dirty[n:])
	clear(l.dirty[rest:])
	l.dirty = l.dirty[:rest]
}

// attend lets what must not wait for the loop go on, if there is something.
func (l *loop) attend() {
	if l.server.Attend != nil {
		l.server.Attend()
	}
}

// ready handles a connection that can be read or written.
func (l *loop) ready(slot int32, generation uint32, readable, writable bool) {
	if int(slot) >= len(l.slots) {
		return
	}
	c := l.slots[slot]
	if c == nil || c.generation != generation {
		return // closed a moment ago
	}
	if writable {
		c.blocked = false
		c.flush()
	}
	if l.readied++; l.readied%gap == 0 {
		l.attend()
	}
	if readable && c.state != stateGone {
		if l.server.Full() {
			l.held = true
			return
		}
		c.read()
	}
}

// breathe gives the other loops a moment, where clients have to wait until what
// was read from them is handed out and this loop has nothing of that to do.
func (l *loop) breathe() {
	if l.held && l.worked == len(l.work) {
		time.Sleep(100 * time.Microsecond)
	}
	l.held = false
}

// add takes a connection into the loop.
func (l *loop) add(c *conn) {
	if n := len(l.free); n > 0 {
		c.slot = l.free[n-1]
		l.free = l.free[:n-1]
		l.slots[c.slot] = c
	} else {
		c.slot = int32(len(l.slots))
		l.slots = append(l.slots, c)
	}
	l.count++
	l.server.open.Add(1)
	if !l.sweeps {
		l.scheduleSweep()
	}
}

func (l *loop) remove(c *conn) {
	l.slots[c.slot] = nil
	l.free = append(l.free, c.slot)
	l.count--
	l.server.open.Add(-1)
	if l.count == 0 {
		l.report(backlog{})
	}
	if l.count == 0 && l.empty != nil {
		l.empty()
		l.empty = nil
	}
}

// whenEmpty calls f once there is no connection.
func (l *loop) whenEmpty(f func()) {
	if l.count == 0 {
		f()
		return
	}
	l.empty = f
}

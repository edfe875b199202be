package socket

import (
	"sync"
	"sync/atomic"

	"github.com/tutti-realtime/tutti/internal/hub"
)

// jam is how many bytes may wait in a mailbox before clients are read no more,
// so that TCP slows down those who send. Nothing is dropped.
const jam = 32 << 20

// taskWeight is what a task counts in bytes, beside its payload.
const taskWeight = 512

// A task is something for a loop to do: hand out a message, or call f.
type task struct {
	message *hub.Message
	f       func()
	size    int // frames that f sends
	bytes   int // that are held until f is called
}

func (t task) weight() int64 {
	if t.message != nil {
		return taskWeight + int64(len(t.message.Payload))
	}
	return taskWeight + int64(t.bytes)
}

// A mailbox is what other goroutines want of a loop.
type mailbox struct {
	weight atomic.Int64 // bytes of what waits

	mu     sync.Mutex // guards all below; of what is called under it, wake only rings
	tasks  []task
	asleep bool // the loop must be woken
	closed bool
}

// put adds a task, and wakes the loop if it sleeps. It reports whether the
// mailbox was open: a closed one takes nothing.
func (m *mailbox) put(t task, wake func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.weight.Add(t.weight())
	m.tasks = append(m.tasks, t)
	if m.asleep {
		m.asleep = false
		wake()
	}
	return true
}

// take returns what waits, and gives spent back for what comes.
func (m *mailbox) take(spent []task) []task {
	m.mu.Lock()
	defer m.mu.Unlock()
	tasks := m.tasks
	m.tasks = spent[:0]
	m.asleep = false
	return tasks
}

// close returns what waits, and takes nothing from then on.
func (m *mailbox) close() []task {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return m.tasks
}

// rest reports whether the loop may sleep; from then on put wakes it.
func (m *mailbox) rest() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asleep = len(m.tasks) == 0
	return m.asleep
}

package extend

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A fineClock rings a bell more exactly than timers of Go do on a machine that is
// idle: those wait in epoll, which counts milliseconds. See timerfd_create(2).
type fineClock struct {
	fd      int
	file    *os.File // the same
	reading sync.WaitGroup
}

// newFineClock returns a clock, nil where there is none.
func newFineClock(bell chan struct{}) *fineClock {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil // timers of Go have to do
	}
	c := &fineClock{fd: fd, file: os.NewFile(uintptr(fd), "timer")}
	c.reading.Go(func() {
		var count [8]byte
		for {
			if _, err := c.file.Read(count[:]); err != nil {
				return
			}
			ring(bell)
		}
	})
	return c
}

// set has the bell rung after a while.
func (c *fineClock) set(d time.Duration) {
	if c == nil {
		return
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	_ = unix.TimerfdSettime(c.fd, 0, &spec, nil) // timers of Go have to do
}

func (c *fineClock) close() {
	if c == nil {
		return
	}
	_ = c.file.Close()
	c.reading.Wait()
}

// Package systemd knows what a service tells systemd: that it is ready, that it
// stops, what it is doing, and that it is still alive. cmd/tutti calls it. Where
// no service manager listens it does nothing. It owns no goroutine.
//
// Specification: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
package systemd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

// What a service may say of itself.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	alive    = "WATCHDOG=1"
)

// Status is a line that `systemctl status` shows.
func Status(line string) string {
	return "STATUS=" + strings.ReplaceAll(line, "\n", " ") // a line break would end it
}

// A Notifier speaks to the service manager that started this process. The zero
// value speaks to nobody.
type Notifier struct {
	socket   string        // where it listens; "" where there is none
	watchdog time.Duration // it kills a process that is silent for so long; 0 for never
}

// FromEnvironment reads what a service manager has said to the process.
func FromEnvironment(getenv func(string) string, pid int) (Notifier, error) {
	n := Notifier{socket: getenv("NOTIFY_SOCKET")}
	if n.socket == "" {
		return n, nil
	}
	if n.socket[0] != '/' && n.socket[0] != '@' {
		return Notifier{}, fmt.Errorf("NOTIFY_SOCKET=%s is neither a path nor an abstract socket", n.socket)
	}
	usec := getenv("WATCHDOG_USEC")
	if usec == "" {
		return n, nil
	}
	if of := getenv("WATCHDOG_PID"); of != "" && of != strconv.Itoa(pid) {
		return n, nil // it is the parent's watchdog, which we inherited
	}
	us, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || us <= 0 || us > math.MaxInt64/int64(time.Microsecond) {
		return Notifier{}, fmt.Errorf("WATCHDOG_USEC=%s is no time in microseconds", usec)
	}
	n.watchdog = time.Duration(us) * time.Microsecond
	return n, nil
}

// patience is how long the manager may not read before it is not told.
const patience = 5 * time.Second

// Notify says something, all of it in one message.
func (n Notifier) Notify(ctx context.Context, said ...string) error {
	if n.socket == "" {
		return nil
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unixgram", n.socket) // of "@name" Go makes an abstract socket
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	// A manager that stands still reads nothing, and its queue is short.
	_ = c.SetWriteDeadline(time.Now().Add(patience)) // an error is one of Write's as well
	_, err = c.Write([]byte(strings.Join(said, "\n")))
	if err = errors.Join(err, c.Close()); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// Watch says that the process is alive for as long as test says so, until ctx
// ends. When test fails the manager hears why, and kills the process unless it
// passes again in time. Where nobody watches, Watch returns at once. It ends with
// an error when the manager could not be told twice in a row.
func (n Notifier) Watch(ctx context.Context, test func(context.Context) error) error {
	if n.watchdog == 0 {
		return nil
	}
	// The specification advises half of the time, as one may be late. With a third
	// of it one may be lost: that is told again before the manager loses patience.
	third := max(1, n.watchdog/3)
	ticks := time.NewTicker(third)
	defer ticks.Stop()
	for failed := 0; ; {
		err := n.beat(ctx, test, third)
		if failed++; err == nil {
			failed = 0
		}
		if failed > 1 && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

func (n Notifier) beat(ctx context.Context, test func(context.Context) error, within time.Duration) error {
	testing, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := test(testing); err != nil {
		return n.Notify(ctx, Status("not alive: "+err.Error()))
	}
	return n.Notify(ctx, alive)
}

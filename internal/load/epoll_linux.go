package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newPoller returns an epoll for plain connections, and goroutines for TLS.
func newPoller(r *runner) (poller, error) {
	if r.to.secure {
		return newStreams(r), nil
	}
	return newEpoll(r)
}

// An epoll waits for all descriptors at once. See epoll(7).
type epoll struct {
	runner *runner
	fd     int
	timer  int // a timerfd: epoll_wait itself counts whole milliseconds
	events []unix.EpollEvent
	buf    []byte // what is read goes here, and is dealt with before the next read
}

// timerSlot stands where a connection's id would.
const timerSlot = -1

func newEpoll(r *runner) (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll: %w", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create a timerfd: %w", err), unix.Close(fd))
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: timerSlot}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, timer, &ev); err != nil {
		return nil, errors.Join(fmt.Errorf("watch the timerfd: %w", err), unix.Close(timer), unix.Close(fd))
	}
	return &epoll{runner: r, fd: fd, timer: timer, events: make([]unix.EpollEvent, 512), buf: make([]byte, 256<<10)}, nil
}

func (e *epoll) close() {
	_ = unix.Close(e.timer)
	_ = unix.Close(e.fd)
}

func (e *epoll) dial(_ context.Context, c *conn) {
	d := &descriptor{epoll: e, id: c.id}
	if err := d.connect(e.runner.to.addr, e.runner.to.source(c.id)); err != nil {
		d.close()
		e.runner.gone(c, err)
		return
	}
	c.wire = d
}

func (e *epoll) wait(d time.Duration) {
	ms := 0
	if d > 0 {
		ms = -1
		spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
		if err := unix.TimerfdSettime(e.timer, 0, &spec, nil); err != nil {
			ms = int(d/time.Millisecond) + 1
		}
	}
	n, err := unix.EpollWait(e.fd, e.events, ms)
	if err != nil {
		return // interrupted by a signal
	}
	for _, ev := range e.events[:n] {
		if ev.Fd == timerSlot {
			continue // edge-triggered: setting it anew is all it needs
		}
		c := e.runner.conns[ev.Fd]
		if d, ok := c.wire.(*descriptor); ok && c.state != ended {
			e.ready(c, d, ev.Events)
		}
	}
}

func (e *epoll) ready(c *conn, d *descriptor, events uint32) {
	if c.state == dialing {
		if err := d.connected(); err != nil {
			e.runner.gone(c, err)
			return
		}
		e.runner.established(c)
		return
	}
	if events&unix.EPOLLOUT != 0 {
		d.flush()
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return
	}
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(d.fd), uintptr(unsafe.Pointer(&e.buf[0])), uintptr(len(e.buf)))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
	case errno != 0:
		e.runner.gone(c, errno)
	case n == 0:
		e.runner.gone(c, io.EOF)
	default:
		e.runner.received(c, e.buf[:n])
	}
}

// A descriptor is a TCP connection that an epoll watches.
type descriptor struct {
	epoll   *epoll
	id      int
	fd      int // -1 when there is none
	pending []byte
	asked   uint32 // what epoll was asked for
}

// connect begins to connect to a server. Epoll tells when that is done.
func (d *descriptor) connect(to netip.AddrPort, from netip.Addr) (err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	d.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		d.fd = -1
		return fmt.Errorf("open a socket: %w", err)
	}
	if err := unix.SetsockoptInt(d.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("set TCP_NODELAY: %w", err)
	}
	if from.IsValid() {
		// The port is chosen on connect, so that it need be free for one peer only.
		if err := unix.SetsockoptInt(d.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return fmt.Errorf("set IP_BIND_ADDRESS_NO_PORT: %w", err)
		}
		if err := unix.Bind(d.fd, sockaddr(netip.AddrPortFrom(from, 0))); err != nil {
			return fmt.Errorf("bind to %v: %w", from, err)
		}
	}
	if err := unix.Connect(d.fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			return errors.New("this machine's address has no free port left for the server: use several machines")
		}
		return fmt.Errorf("connect: %w", err)
	}
	d.asked = unix.EPOLLIN | unix.EPOLLOUT
	return d.control(unix.EPOLL_CTL_ADD)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// connected says how connecting ended.
func (d *descriptor) connected() error {
	code, err := unix.GetsockoptInt(d.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if code != 0 {
		return fmt.Errorf("connect: %w", unix.Errno(code))
	}
	d.ask(unix.EPOLLIN)
	return nil
}

func (d *descriptor) control(op int) error {
	ev := unix.EpollEvent{Events: d.asked, Fd: int32(d.id)}
	if err := unix.EpollCtl(d.epoll.fd, op, d.fd, &ev); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

func (d *descriptor) ask(events uint32) {
	if d.asked != events {
		d.asked = events
		_ = d.control(unix.EPOLL_CTL_MOD) // cannot fail for one that is watched
	}
}

func (d *descriptor) write(b []byte) {
	if len(d.pending) == 0 {
		b = b[d.send(b):]
	}
	if len(b) > 0 {
		d.pending = append(d.pending, b...)
		d.ask(unix.EPOLLIN | unix.EPOLLOUT)
	}
}

func (d *descriptor) flush() {
	if len(d.pending) > 0 {
		d.pending = d.pending[d.send(d.pending):]
	}
	if len(d.pending) == 0 {
		d.pending = nil
		d.ask(unix.EPOLLIN)
	}
}

// send returns how many bytes the socket took. An error will show on reading.
func (d *descriptor) send(b []byte) int {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(d.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (d *descriptor) held() int { return len(d.pending) }

func (d *descriptor) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
		d.fd = -1
	}
}

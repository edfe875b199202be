package socket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newPoller returns an epoll, or a bell if that is wished.
func newPoller(l *loop, portable bool) (poller, error) {
	if portable {
		return newBell(), nil
	}
	return newEpoll(l)
}

// An epoll waits for descriptors. See epoll(7).
//
// It is itself a descriptor that Go's runtime waits for: a loop that has nothing
// to do is a parked goroutine, and not a thread in a system call. Such threads
// keep the runtime's monitor awake, which takes their processors away and looks
// again every 20 microseconds: a quarter of the server's time under many small
// rooms.
type epoll struct {
	loop   *loop
	fd     int
	file   *os.File // the same
	raw    syscall.RawConn
	event  int // an eventfd: what wake writes to
	events []unix.EpollEvent
}

// wakeSlot is the slot of the eventfd.
const wakeSlot = -1

func newEpoll(l *loop) (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll: %w", err)
	}
	event, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create an eventfd: %w", err), unix.Close(fd))
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeSlot}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, event, &ev); err != nil {
		return nil, errors.Join(fmt.Errorf("watch the eventfd: %w", err), unix.Close(event), unix.Close(fd))
	}
	e := &epoll{loop: l, fd: fd, event: event, events: make([]unix.EpollEvent, 256)}
	if err := e.attach(); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for an epoll: %w", err), unix.Close(event), unix.Close(fd))
	}
	return e, nil
}

// attach lets Go's runtime wait for the epoll.
func (e *epoll) attach() error {
	if err := unix.SetNonblock(e.fd, true); err != nil {
		return err
	}
	e.file = os.NewFile(uintptr(e.fd), "epoll")
	if err := e.file.SetReadDeadline(time.Time{}); err != nil {
		return err // the runtime will not wait for it
	}
	var err error
	e.raw, err = e.file.SyscallConn()
	return err
}

func (e *epoll) wait(d time.Duration) {
	n := e.poll()
	if n == 0 && d != 0 {
		n = e.block(d)
	}
	for _, ev := range e.events[:n] {
		if ev.Fd == wakeSlot {
			var buf [8]byte
			_, _ = unix.Read(e.event, buf[:]) // only to make it quiet again
			continue
		}
		const hurt = unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLRDHUP
		e.loop.ready(ev.Fd, uint32(ev.Pad), ev.Events&(unix.EPOLLIN|hurt) != 0, ev.Events&(unix.EPOLLOUT|unix.EPOLLERR) != 0)
	}
}

// poll looks without waiting, and without telling Go's scheduler, to which it
// would look like a call that may block.
func (e *epoll) poll() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd),
		uintptr(unsafe.Pointer(&e.events[0])), uintptr(len(e.events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// block parks until there is something, or until d is over; for ever when d is
// negative.
func (e *epoll) block(d time.Duration) (n int) {
	var until time.Time
	if d > 0 {
		until = time.Now().Add(d)
	}
	_ = e.file.SetReadDeadline(until)
	_ = e.raw.Read(func(uintptr) bool { // an error is that the time is over
		n = e.poll()
		return n > 0
	})
	return n
}

func (e *epoll) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(e.event, one[:]) // full means that it is awake anyway
}

func (e *epoll) close() {
	_ = unix.Close(e.event)
	_ = e.file.Close()
}

// A descriptor is a TCP connection that an epoll watches.
type descriptor struct {
	epoll *epoll
	conn  *conn
	fd    int
	asked uint32 // what epoll was asked for
}

// plain takes over the descriptor of a plain TCP connection. Go's own runtime
// lets go of it.
//
// It returns nil, nil for a connection of any other kind.
func (l *loop) plain(c *conn, nc net.Conn) (wire, error) {
	e, isEpoll := l.poll.(*epoll)
	tcp, isTCP := nc.(*net.TCPConn)
	if !isEpoll || !isTCP {
		return nil, nil
	}
	fd, err := duplicate(tcp)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take a descriptor over: %w", err), tcp.Close())
	}
	_ = tcp.Close() // only this descriptor of it; the connection lives on in ours
	if size := l.server.Settings.SendBuffer; size > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size) // an optimisation
	}
	d := &descriptor{epoll: e, conn: c, fd: fd, asked: unix.EPOLLIN | unix.EPOLLRDHUP}
	if err := d.control(unix.EPOLL_CTL_ADD); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return d, nil
}

func duplicate(tcp *net.TCPConn) (fd int, err error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	outer := raw.Control(func(own uintptr) {
		fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(outer, err)
}

func (d *descriptor) control(op int) error {
	ev := unix.EpollEvent{Events: d.asked, Fd: d.conn.slot, Pad: int32(d.conn.generation)}
	if err := unix.EpollCtl(d.epoll.fd, op, d.fd, &ev); err != nil {
		return fmt.Errorf("watch a connection: %w", err)
	}
	return nil
}

func (d *descriptor) ask(events uint32) {
	if events != d.asked {
		d.asked = events
		_ = d.control(unix.EPOLL_CTL_MOD) // cannot fail for one that is watched
	}
}

func (d *descriptor) read(buf []byte) ([]byte, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(d.fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return nil, errBlocked
	case errno != 0:
		return nil, errno
	case n == 0:
		return nil, io.EOF
	}
	return buf[:n], nil
}

func (d *descriptor) write(b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(d.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		d.ask(d.asked | unix.EPOLLOUT)
		return 0, errBlocked
	case errno != 0:
		return 0, errno
	case int(n) < len(b):
		d.ask(d.asked | unix.EPOLLOUT)
		return int(n), errBlocked
	}
	d.ask(d.asked &^ unix.EPOLLOUT)
	return int(n), nil
}

func (d *descriptor) pause(yes bool) {
	if yes {
		d.ask(d.asked &^ (unix.EPOLLIN | unix.EPOLLRDHUP))
	} else {
		d.ask(d.asked | unix.EPOLLIN | unix.EPOLLRDHUP)
	}
}

func (d *descriptor) shut() { _ = unix.Shutdown(d.fd, unix.SHUT_WR) }

func (d *descriptor) close() { _ = unix.Close(d.fd) }

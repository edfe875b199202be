//go:build linux

// Command limit is the least that a server can do: one thread that waits in
// epoll, and for every message one write system call per receiver, of bytes that
// were made once. It checks nothing and has one room. What it spends is what the
// kernel takes, so that bench/run can say how near a real server comes.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

func main() {
	port := flag.Int("port", 4001, "port to listen on, of 127.0.0.1")
	flag.Parse()
	s := &server{port: *port, peers: map[int32]*peer{}, buf: make([]byte, 256<<10)}
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}

// A server owns everything; it has one goroutine.
type server struct {
	port     int
	epoll    int
	listener int
	peers    map[int32]*peer
	room     []int32 // descriptors of those who joined
	buf      []byte
	out      []byte // the frame that is sent
}

// A peer is one connection.
type peer struct {
	fd     int32
	shaken bool
	head   []byte
	reader websocket.Reader
}

func (s *server) run() error {
	if err := s.listen(); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := unix.EpollWait(s.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait: %w", err)
		}
		for _, ev := range events[:max(n, 0)] {
			if int(ev.Fd) == s.listener {
				s.accept()
			} else if p := s.peers[ev.Fd]; p != nil {
				s.read(p)
			}
		}
	}
}

func (s *server) listen() (err error) {
	s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create an epoll: %w", err)
	}
	s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	if err := unix.SetsockoptInt(s.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("set SO_REUSEADDR: %w", err)
	}
	if err := unix.Bind(s.listener, &unix.SockaddrInet4{Port: s.port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("bind to port %d: %w", s.port, err)
	}
	if err := unix.Listen(s.listener, 4096); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return s.watch(int32(s.listener))
}

func (s *server) watch(fd int32) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: fd}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, int(fd), &ev); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

func (s *server) accept() {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // all are here, or there are no descriptors left
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if s.watch(int32(fd)) != nil {
			_ = unix.Close(fd)
			continue
		}
		s.peers[int32(fd)] = &peer{fd: int32(fd), reader: websocket.Reader{Limit: 8 << 20}}
	}
}

func (s *server) read(p *peer) {
	n, err := unix.Read(int(p.fd), s.buf)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	if err != nil || n == 0 {
		s.drop(p)
		return
	}
	data := s.buf[:n]
	if !p.shaken {
		data = p.shake(data)
	}
	if p.reader.Read(data, func(op websocket.Opcode, b []byte) error { return s.message(p, op, b) }) != nil {
		s.drop(p)
	}
}

func (s *server) drop(p *peer) {
	delete(s.peers, p.fd)
	for i, fd := range s.room {
		if fd == p.fd {
			s.room[i] = s.room[len(s.room)-1]
			s.room = s.room[:len(s.room)-1]
			break
		}
	}
	_ = unix.Close(int(p.fd))
}

// shake answers the handshake and returns what follows it.
func (p *peer) shake(data []byte) []byte {
	p.head = append(p.head, data...)
	head, rest, whole := bytes.Cut(p.head, []byte("\r\n\r\n"))
	if !whole {
		return nil
	}
	_, key, _ := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	p.shaken, p.head = true, nil
	p.write(fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		websocket.Accept(string(key))))
	return rest
}

func (p *peer) write(b []byte) { send(p.fd, b) }

// send is the system call itself. What a full socket does not take is lost.
func send(fd int32, b []byte) {
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
}

var errHungUp = errors.New("the client hung up")

func (s *server) message(p *peer, op websocket.Opcode, data []byte) error {
	if op == websocket.Close {
		return errHungUp
	}
	if op.Control() {
		return nil
	}
	f, err := phoenix.Decode(phoenix.V2, op == websocket.Text, data)
	if err != nil {
		return err
	}
	switch f.Event {
	case phoenix.EventBroadcast:
		s.fan(p.fd, &f)
	case phoenix.EventJoin:
		s.room = append(s.room, p.fd)
		fallthrough
	default:
		reply := phoenix.AppendReply(nil, phoenix.V2, phoenix.Reply{
			JoinRef: f.JoinRef, Ref: f.Ref, Topic: string(f.Topic), Status: phoenix.StatusOK,
		})
		p.write(websocket.AppendFrame(nil, websocket.Text, reply))
	}
	return nil
}

// fan writes a user broadcast to all others, one system call for each.
func (s *server) fan(from int32, f *phoenix.Frame) {
	s.out = websocket.AppendHeader(s.out[:0], websocket.Binary, 5+len(f.Topic)+len(f.UserEvent)+len(f.Payload))
	s.out = append(s.out, 4, byte(len(f.Topic)), byte(len(f.UserEvent)), 0, byte(f.Encoding))
	s.out = append(s.out, f.Topic...)
	s.out = append(s.out, f.UserEvent...)
	s.out = append(s.out, f.Payload...)
	for _, fd := range s.room {
		if fd != from {
			send(fd, s.out)
		}
	}
}

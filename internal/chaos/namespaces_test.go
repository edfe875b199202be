//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A namespace is a network of its own. It has no name, so that nothing stays
// behind whatever happens to us: it ends with its last file and process.
type namespace struct{ file *os.File }

func newNamespace() (*namespace, error) {
	n := &namespace{}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		n.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return n, err
}

// onThread calls f on a thread that ends with it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- keepThread(f) }()
	return <-done
}

// keepThread calls f on the goroutine's thread, which ends with the goroutine.
// The first thread of the process is spared: it does not end, and stands for the
// process in /proc.
func keepThread(f func() error) error {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		defer runtime.UnlockOSThread()
		return onThread(f)
	}
	return f()
}

// enter takes the calling thread into the namespace.
func (n *namespace) enter() error { return unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET) }

// do calls f in the namespace.
func (n *namespace) do(f func() error) error {
	return onThread(func() error {
		if err := n.enter(); err != nil {
			return err
		}
		return f()
	})
}

// ip runs commands of ip(8) in the namespace.
func (n *namespace) ip(lines ...string) error {
	return n.do(func() error {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip: %w: %s", err, said)
		}
		return nil
	})
}

// namespaces is a yard in which every place has a namespace, on one bridge. A
// direction is cut by giving the sender a wrong hardware address of the other:
// then packets go out and nobody takes them.
type namespaces struct {
	hub *namespace // the bridge, and the clients
	of  [places]*namespace
}

func newNamespaces(t *testing.T) (*namespaces, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("they need root")
	}
	y := &namespaces{}
	t.Cleanup(y.close)
	for _, n := range append([]**namespace{&y.hub}, pointers(&y.of)...) {
		var err error
		if *n, err = newNamespace(); err != nil {
			return nil, err
		}
	}
	lines := []string{"link set lo up", "link add bridge type bridge", "addr add 10.77.0.2/24 dev bridge", "link set bridge up"}
	for p, n := range y.of {
		lines = append(lines,
			fmt.Sprintf("link add to%d type veth peer name eth0 address %s netns /proc/%d/fd/%d", p, hardware(place(p)), os.Getpid(), n.file.Fd()),
			fmt.Sprintf("link set to%d master bridge up", p))
	}
	if err := y.hub.ip(lines...); err != nil {
		return nil, err
	}
	for p, n := range y.of {
		if err := n.ip("link set lo up", "addr add "+y.address(place(p))+"/24 dev eth0", "link set eth0 up"); err != nil {
			return nil, err
		}
	}
	return y, nil
}

func pointers(of *[places]*namespace) (all []**namespace) {
	for i := range of {
		all = append(all, &of[i])
	}
	return all
}

func (y *namespaces) close() {
	for _, n := range append(y.of[:], y.hub) {
		if n != nil && n.file != nil {
			_ = n.file.Close()
		}
	}
}

func hardware(p place) string { return fmt.Sprintf("02:00:00:00:00:%02x", 16+int(p)) }

func (y *namespaces) String() string { return "network namespaces" }

func (y *namespaces) secure() bool { return true }

func (y *namespaces) address(p place) string { return fmt.Sprintf("10.77.0.%d", 11+int(p)) }

func (y *namespaces) join(p place) error { return y.of[p].enter() }

func (y *namespaces) runs(place, int) {}

func (y *namespaces) advertise(*testing.T, place, string) string { return "" }

// open lets nodes come in at the address of the services. What is cut is cut
// before.
func (y *namespaces) open(t *testing.T, service string) (addr string, from func(int) (place, bool)) {
	t.Helper()
	var l net.Listener
	err := y.of[services].do(func() (err error) {
		l, err = net.Listen("tcp", y.address(services)+":0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	free := newLink()
	g := &gate{
		listener: l, target: service, dial: new(net.Dialer).DialContext,
		from: func(conn net.Conn) place {
			ip := conn.RemoteAddr().(*net.TCPAddr).IP.String()
			for _, p := range trio {
				if y.address(p) == ip {
					return p
				}
			}
			return elsewhere
		},
		links: func(place) (there, back *link) { return free, free },
		open:  map[net.Conn]struct{}{}, ways: map[int]place{},
	}
	beside(t, g.run)
	return l.Addr().String(), g.way
}

func (y *namespaces) cut(t *testing.T, from, to place) {
	t.Helper()
	y.tell(t, from, to, "02:00:00:00:de:ad", "permanent")
}

func (y *namespaces) tell(t *testing.T, from, to place, address, how string) {
	t.Helper()
	err := y.of[from].ip(fmt.Sprintf("neigh replace %s lladdr %s dev eth0 nud %s", y.address(to), address, how))
	if err != nil {
		t.Fatal(err)
	}
}

func (y *namespaces) mend(t *testing.T) {
	t.Helper()
	for from := range places {
		for to := range places {
			if from != to {
				y.tell(t, from, to, hardware(to), "reachable")
			}
		}
	}
}

func (y *namespaces) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	err = y.hub.do(func() (err error) {
		// An address, and no name, is dialed by the calling goroutine.
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// beside runs f until the test ends.
func beside(t *testing.T, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { f(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

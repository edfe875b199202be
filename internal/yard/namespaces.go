//go:build linux

package yard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

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

// Namespaces is a network in which every place has a namespace, on one bridge. A
// direction is cut by giving the sender a wrong hardware address of the other:
// then packets go out and nobody takes them.
type Namespaces struct {
	hub   *namespace // the bridge, and the clients
	of    [Places]*namespace
	gates gates
}

// NewNamespaces makes them, which needs root and ip(8).
func NewNamespaces() (*Namespaces, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("they need root")
	}
	y := &Namespaces{}
	if err := y.open(); err != nil {
		return nil, errors.Join(err, y.Close())
	}
	return y, nil
}

func (y *Namespaces) open() error {
	for _, n := range append([]**namespace{&y.hub}, pointers(&y.of)...) {
		var err error
		if *n, err = newNamespace(); err != nil {
			return err
		}
	}
	lines := []string{"link set lo up", "link add bridge type bridge", "addr add 10.77.0.2/24 dev bridge", "link set bridge up"}
	for p, n := range y.of {
		lines = append(lines,
			fmt.Sprintf("link add to%d type veth peer name eth0 address %s netns /proc/%d/fd/%d", p, hardware(Place(p)), os.Getpid(), n.file.Fd()),
			fmt.Sprintf("link set to%d master bridge up", p))
	}
	if err := y.hub.ip(lines...); err != nil {
		return err
	}
	for p, n := range y.of {
		if err := n.ip("link set lo up", "addr add "+y.Address(Place(p))+"/24 dev eth0", "link set eth0 up"); err != nil {
			return err
		}
	}
	return nil
}

func pointers(of *[Places]*namespace) (all []**namespace) {
	for i := range of {
		all = append(all, &of[i])
	}
	return all
}

// Close implements Network.
func (y *Namespaces) Close() (err error) {
	y.gates.stop()
	for _, n := range append(y.of[:], y.hub) {
		if n != nil && n.file != nil {
			err = errors.Join(err, n.file.Close())
		}
	}
	return err
}

func hardware(p Place) string { return fmt.Sprintf("02:00:00:00:00:%02x", 16+int(p)) }

// String implements Network.
func (y *Namespaces) String() string { return "network namespaces" }

// Secure implements Network.
func (y *Namespaces) Secure() bool { return true }

// Address implements Network.
func (y *Namespaces) Address(p Place) string { return fmt.Sprintf("10.77.0.%d", 11+int(p)) }

// Join implements Network.
func (y *Namespaces) Join(p Place) error { return y.of[p].enter() }

// Runs implements Network.
func (y *Namespaces) Runs(Place, int) {}

// Advertise implements Network.
func (y *Namespaces) Advertise(context.Context, Place, string) (string, error) { return "", nil }

// Open lets nodes come in at the address of the services. What is cut is cut
// before.
func (y *Namespaces) Open(ctx context.Context, service string) (addr string, from func(int) (Place, bool), err error) {
	var l net.Listener
	err = y.of[Services].do(func() (err error) {
		l, err = net.Listen("tcp", y.Address(Services)+":0")
		return err
	})
	if err != nil {
		return "", nil, err
	}
	free := newLink()
	g := &gate{
		listener: l, target: service, dial: new(net.Dialer).DialContext,
		from: func(conn net.Conn) Place {
			ip := conn.RemoteAddr().(*net.TCPAddr).IP.String()
			for _, p := range Trio {
				if y.Address(p) == ip {
					return p
				}
			}
			return Elsewhere
		},
		links: func(Place) (there, back *link) { return free, free },
		open:  map[net.Conn]struct{}{}, ways: map[int]Place{},
	}
	y.gates.start(ctx, g)
	return l.Addr().String(), g.way, nil
}

// Cut implements Network.
func (y *Namespaces) Cut(from, to Place) error {
	return y.tell(from, to, "02:00:00:00:de:ad", "permanent")
}

func (y *Namespaces) tell(from, to Place, address, how string) error {
	return y.of[from].ip(fmt.Sprintf("neigh replace %s lladdr %s dev eth0 nud %s", y.Address(to), address, how))
}

// Mend implements Network.
func (y *Namespaces) Mend() (err error) {
	for from := range Places {
		for to := range Places {
			if from != to {
				err = errors.Join(err, y.tell(from, to, hardware(to), "reachable"))
			}
		}
	}
	return err
}

// Dial implements Network.
func (y *Namespaces) Dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	err = y.hub.do(func() (err error) {
		// An address, and no name, is dialed by the calling goroutine.
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// Within calls f on a thread that is at a place, for what a test opens there.
func (y *Namespaces) Within(p Place, f func() error) error { return y.of[p].do(f) }

package postgres

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// proxy stands between us and a PostgreSQL, and plays the outages.
type proxy struct {
	target string
	left   chan struct{} // has one when a client left while nothing was passed on
	wg     sync.WaitGroup

	mu       sync.Mutex // guards what follows
	address  string
	listener net.Listener // nil while it is down
	conns    map[net.Conn]struct{}
	deaf     bool // it takes connections and passes nothing on
}

// behind returns a proxy and the place that it makes of another.
func behind(t *testing.T, config ControlConfig) (*proxy, ControlConfig) {
	t.Helper()
	p := &proxy{
		target: net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))), address: "127.0.0.1:0",
		conns: map[net.Conn]struct{}{}, left: make(chan struct{}, 1),
	}
	p.up(t)
	t.Cleanup(func() {
		p.down()
		p.wg.Wait()
	})
	host, port, err := net.SplitHostPort(p.address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.Port = host, uint16(n)
	return p, config
}

// up lets connections through, on the same port every time.
func (p *proxy) up(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.address, p.deaf = l, l.Addr().String(), false
	p.wg.Go(func() { p.accept(l) })
}

// down ends all connections and refuses new ones.
func (p *proxy) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for c := range p.conns {
		c.Close()
	}
}

// hush passes nothing on any more, without a word, as a lost host does.
func (p *proxy) hush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

func (p *proxy) isDeaf() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deaf
}

func (p *proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		if p.listener != l {
			client.Close()
			server.Close()
		}
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(client, server) })
		p.wg.Go(func() { p.pass(server, client) })
	}
}

func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.isDeaf() {
			io.Copy(io.Discard, from)
			select {
			case p.left <- struct{}{}:
			default:
			}
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

package wal

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// A proxy stands between a feed and its server, and plays the network's outages.
type proxy struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex // guards what follows
	links []*link
}

// A link is a connection through the proxy.
type link struct {
	client, server net.Conn
	lost           chan struct{} // closed when it passes nothing on any more
}

// behind puts a proxy between a feed, which does not run yet, and its server.
func behind(t *testing.T, config *pgconn.Config) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))), listener: l}
	config.Host, config.Port = "127.0.0.1", uint16(l.Addr().(*net.TCPAddr).Port)
	config.Fallbacks = nil
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for _, k := range p.links {
		k.client.Close()
		k.server.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		k := &link{client, server, make(chan struct{})}
		p.mu.Lock()
		p.links = append(p.links, k)
		p.mu.Unlock()
		p.wg.Go(func() { k.pass(server, client) })
		p.wg.Go(func() { k.pass(client, server) })
	}
}

func (k *link) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-k.lost: // swallow the rest, and its end
			io.Copy(io.Discard, from)
			return
		default:
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// lose makes the connections there are pass nothing on, without a word to either
// end. New ones work.
func (p *proxy) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.links {
		select {
		case <-k.lost:
		default:
			close(k.lost)
		}
	}
}

// halve does the same, but the client hears of it.
func (p *proxy) halve() {
	p.lose()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.links {
		k.client.Close()
	}
}

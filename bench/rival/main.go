// Command rival is a server as one writes it with a WebSocket library: for each
// socket a goroutine that reads, and a goroutine with a channel that writes, one
// write per message. It speaks as much of the protocol as a load needs, and
// drops nothing: a full channel holds the sender back. bench/run compares with
// it.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

func main() {
	port := flag.Int("port", 4002, "port to listen on, of 127.0.0.1")
	library := flag.String("library", "gorilla", "gorilla or coder")
	flag.Parse()
	upgrades := map[string]upgrade{"gorilla": gorillaUpgrade, "coder": coderUpgrade}
	up, ok := upgrades[*library]
	if !ok {
		fmt.Fprintf(os.Stderr, "rival: there is no library %q\n", *library)
		os.Exit(2)
	}
	h := &hub{upgrade: up, rooms: map[string]map[*peer]struct{}{}}
	server := http.Server{
		Addr: net.JoinHostPort("127.0.0.1", fmt.Sprint(*port)), Handler: h, ReadHeaderTimeout: 10 * time.Second,
	}
	fmt.Fprintln(os.Stderr, "rival:", server.ListenAndServe())
	os.Exit(1)
}

// A socket is a connection of one of the libraries.
type socket interface {
	read(ctx context.Context) (text bool, data []byte, err error)
	write(ctx context.Context, m message) error
	close()
}

// An upgrade makes a socket of a request.
type upgrade func(w http.ResponseWriter, r *http.Request) (socket, error)

// A hub knows who is in which room.
type hub struct {
	upgrade upgrade

	mu    sync.RWMutex // guards rooms
	rooms map[string]map[*peer]struct{}
}

// A peer is one socket and what waits to be written to it.
type peer struct {
	socket socket
	queue  chan message
	done   chan struct{}
	topic  string
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, err := h.upgrade(w, r)
	if err != nil {
		return // the library has answered
	}
	p := &peer{socket: s, queue: make(chan message, 256), done: make(chan struct{})}
	ctx := context.WithoutCancel(r.Context())
	go p.send(ctx)
	h.serve(ctx, p)
	h.leave(p)
	close(p.done)
	s.close()
}

func (p *peer) send(ctx context.Context) {
	for {
		select {
		case m := <-p.queue:
			if p.socket.write(ctx, m) != nil {
				p.socket.close()
				return
			}
		case <-p.done:
			return
		}
	}
}

func (p *peer) push(m message) {
	select {
	case p.queue <- m:
	case <-p.done:
	}
}

// serve handles what a socket sends until it ends.
func (h *hub) serve(ctx context.Context, p *peer) {
	for {
		text, data, err := p.socket.read(ctx)
		if err != nil {
			return
		}
		f, err := phoenix.Decode(phoenix.V2, text, data)
		if err != nil {
			return
		}
		switch f.Event {
		case phoenix.EventBroadcast:
			h.fan(p, &f)
			continue
		case phoenix.EventJoin:
			h.join(p, string(f.Topic))
		}
		p.push(newMessage(true, phoenix.AppendReply(nil, phoenix.V2, phoenix.Reply{
			JoinRef: f.JoinRef, Ref: f.Ref, Topic: string(f.Topic), Status: phoenix.StatusOK,
		})))
	}
}

func (h *hub) join(p *peer, topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.topic = topic
	if h.rooms[topic] == nil {
		h.rooms[topic] = map[*peer]struct{}{}
	}
	h.rooms[topic][p] = struct{}{}
}

func (h *hub) leave(p *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rooms[p.topic], p)
}

// fan queues a user broadcast for the others of its room, encoded once.
func (h *hub) fan(from *peer, f *phoenix.Frame) {
	out := []byte{4, byte(len(f.Topic)), byte(len(f.UserEvent)), 0, byte(f.Encoding)}
	out = append(append(append(out, f.Topic...), f.UserEvent...), f.Payload...)
	m := newMessage(false, out)
	h.mu.RLock()
	defer h.mu.RUnlock()
	for p := range h.rooms[from.topic] {
		if p != from {
			p.push(m)
		}
	}
}

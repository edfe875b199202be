// Command music measures the clocks of classrooms: many rooms at different tempi, with
// members who hear every beat. It prints by how much beats left the server after they
// were due to leave, by how much they came late, and whether each is where arithmetic
// says; the latter decides about the exit status.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// A plan is what is measured.
type plan struct {
	server  string // the program
	rooms   int
	members int // of each room
	during  time.Duration
}

func main() {
	var p plan
	flag.StringVar(&p.server, "server", "bin/tutti", "program of the server")
	flag.IntVar(&p.rooms, "rooms", 500, "rooms")
	flag.IntVar(&p.members, "members", 20, "members of each room, each with a socket")
	flag.DurationVar(&p.during, "for", time.Minute, "how long beats are listened to")
	short := flag.Bool("short", false, "see in some seconds that it works: 20 rooms of 5")
	flag.Parse()
	if *short {
		p.rooms, p.members, p.during = 20, 5, 3*time.Second
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, p)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/music:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p plan) error {
	s, err := start(ctx, p.server)
	if err != nil {
		return err
	}
	// On a machine that both share the listeners are not to take the server's time: those
	// of real rooms are elsewhere.
	if err := yield(); err != nil {
		fmt.Printf("the listeners have the same priority as the server: %v\n", err)
	} else {
		fmt.Printf("the listeners have a lower priority than the server: nice %d\n", niceness)
	}
	l := newListeners(p, s)
	err = l.listen(ctx, s)
	if err == nil {
		err = l.report(ctx, s)
	}
	return errors.Join(err, s.stop())
}

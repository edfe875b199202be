package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// The kinds of load.
const (
	Idle     = "idle"     // every connection joins a topic of its own and is silent
	Fanout   = "fanout"   // one connection more sends to all the others
	Rooms    = "rooms"    // everybody sends to the room they are in
	Presence = "presence" // everybody is tracked, updated and untracked in one room
)

// A Command is the subcommand "bench": its flags, and what it does. Zero means
// what a flag's default says, so that Go code may leave fields out.
type Command struct {
	Kind string `arg:"" enum:"idle,fanout,rooms,presence" help:"What the connections do: idle (each joins a topic and holds), fanout (one sends to all), rooms (all send to their room) or presence (track, update, untrack)."`

	URL     string `name:"url" default:"http://127.0.0.1:4000" help:"The server, as clients name it: http, https, ws or wss; /socket and /websocket are added where they are missing."`
	Key     string `env:"TUTTI_KEY" help:"API key: a JWT of the tenant."`
	VSN     string `name:"vsn" default:"2.0.0" enum:"1.0.0,2.0.0" help:"Version of the protocol."`
	Text    bool   `help:"Send broadcasts as text frames. Version 2.0.0 sends binary frames otherwise, as supabase-js does."`
	Private bool   `help:"Join private channels."`

	Connections int           `short:"n" help:"How many connections (default 1000; presence 100). fanout has one more, which sends; rooms counts its own." placeholder:"N"`
	Rooms       int           `help:"rooms: how many rooms (default 10)." placeholder:"N"`
	Members     int           `help:"rooms: how many connections in each (default 20)." placeholder:"N"`
	Rate        float64       `help:"Messages per second: of the one sender in fanout (default 10), of each member in rooms (default 1)." placeholder:"N"`
	Size        int           `default:"256" help:"Bytes of payload in a message."`
	Burst       int           `default:"1" help:"Messages that are sent at once; the rate stays what it is."`
	Duration    time.Duration `default:"10s" help:"How long to measure; in presence how long a step may take at most."`
	ConnectRate int           `default:"500" help:"Connections that are opened per second, at most."`

	PID  int  `name:"pid" help:"Process id of a server on this machine: says what CPU and memory it took (Linux)." placeholder:"PID"`
	JSON bool `name:"json" help:"Print the figures as JSON."`

	Progress io.Writer `kong:"-"` // where a line tells how far it is; nil means standard error if that is a terminal
}

// Run plays the load, and prints what it found to out. When ctx ends it stops
// early and prints what it has. It is an error if no connection came about.
func (c *Command) Run(ctx context.Context, out io.Writer) error {
	command := *c
	if command.Progress == nil {
		command.Progress = terminal(os.Stderr)
	}
	report, err := command.Measure(ctx)
	if report != nil {
		if printed := report.write(out, c.JSON); printed != nil {
			return errors.Join(err, fmt.Errorf("print the figures: %w", printed))
		}
	}
	return err
}

// Measure plays the load and returns what it found. With an error there is
// a report only if the server was reached.
func (c *Command) Measure(ctx context.Context) (*Report, error) {
	settings := c.withDefaults()
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	to, err := parseTarget(settings.URL, settings.Key, settings.VSN)
	if err != nil {
		return nil, err
	}
	if err := to.resolve(ctx); err != nil {
		return nil, err
	}
	if err := allowFiles(settings.total()); err != nil {
		return nil, err
	}
	server, err := openProcess(settings.PID)
	if err != nil {
		return nil, err
	}
	r, err := newRunner(&settings, to, server)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.run(ctx)
}

// withDefaults returns a copy in which nothing is left out.
func (c *Command) withDefaults() Command {
	d := *c
	pick(&d.URL, "http://127.0.0.1:4000")
	pick(&d.VSN, "2.0.0")
	pick(&d.Rooms, 10)
	pick(&d.Members, 20)
	pick(&d.Size, 256)
	pick(&d.Burst, 1)
	pick(&d.Duration, 10*time.Second)
	pick(&d.ConnectRate, 500)
	switch d.Kind {
	case Presence:
		pick(&d.Connections, 100)
	case Fanout:
		pick(&d.Rate, 10)
	case Rooms:
		pick(&d.Rate, 1)
	}
	pick(&d.Connections, 1000)
	return d
}

func pick[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}

// total is how many connections there are in all.
func (c *Command) total() int {
	switch c.Kind {
	case Rooms:
		return c.Rooms * c.Members
	case Fanout:
		return c.Connections + 1
	}
	return c.Connections
}

// version is the version of the protocol.
func (c *Command) version() phoenix.Version {
	v, _ := phoenix.ParseVersion(c.VSN) // Validate has looked at it
	return v
}

// write prints a report in one of its two forms.
func (r *Report) write(out io.Writer, asJSON bool) error {
	if !asJSON {
		return r.Print(out)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// terminal returns f if it is a terminal, and nothing otherwise.
func terminal(f *os.File) io.Writer {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return f
}

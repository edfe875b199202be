package load

import (
	"context"
	"time"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A state says how far a connection has come.
type state uint8

const (
	waiting state = iota // its turn has not come
	dialing
	shaking // the handshake is sent
	joining // the join is sent
	joined
	ended
)

// A conn is one client, on one topic.
type conn struct {
	id     int
	state  state
	wire   wire
	reader websocket.Reader
	head   []byte // the answer to the handshake so far; empty afterwards
	began  time.Duration
	ref    int           // of the last push
	beat   time.Duration // when the heartbeat was sent that has no reply yet, or 0
}

// A wire carries a connection's bytes.
type wire interface {
	// write sends b, or keeps a copy until the server takes it. It never waits.
	write(b []byte)
	// held returns how many bytes the server has not taken.
	held() int
	close()
}

// A poller opens wires and waits for what they bring. All its methods are
// called by the loop, and it tells the loop what happened while in wait.
type poller interface {
	// dial opens a wire for c, or gives up with ctx. A failure comes as gone.
	dial(ctx context.Context, c *conn)
	// wait returns after d, or sooner when something happened.
	wait(d time.Duration)
	close()
}

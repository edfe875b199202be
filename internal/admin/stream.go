package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// mostViewers is how many streams a node serves at once.
	mostViewers = 64
	// stuck is how long a viewer may take nothing, before the stream is ended.
	stuck = 15 * time.Second
	// beat is how often something is sent at least, so that both ends notice when
	// the other is gone.
	beat = 8 * time.Second
)

// A stream is server-sent events on their way to a viewer.
//
// Specification: https://html.spec.whatwg.org/multipage/server-sent-events.html
type stream struct {
	w      http.ResponseWriter
	rc     *http.ResponseController
	sent   time.Time
	leave  func()
	visit  *visit
	buffer []byte
}

// viewers is how many streams there are.
type viewers struct{ n atomic.Int64 }

func (v *viewers) enter() bool {
	if v.n.Add(1) > mostViewers {
		v.n.Add(-1)
		return false
	}
	return true
}

func (v *viewers) leave() { v.n.Add(-1) }

// begin turns an answer into a stream. Whoever begins one calls its leave at the
// end.
func (c *Console) begin(w http.ResponseWriter, v *visit) (*stream, error) {
	select {
	case <-c.over:
		return nil, errStopping
	default:
	}
	if !c.viewers.enter() {
		return nil, errCrowded
	}
	s := &stream{w: w, rc: http.NewResponseController(w), leave: c.viewers.leave, visit: v}
	// The server's limit on reading a request would end the stream.
	_ = s.rc.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // or nginx keeps it until it is much
	w.WriteHeader(http.StatusOK)
	return s, nil
}

// send sends an event whose data is the JSON form of value.
func (s *stream) send(event string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	s.buffer = append(append(append(s.buffer[:0], "event: "...), event...), "\ndata: "...)
	s.buffer = append(append(s.buffer, text...), "\n\n"...)
	return s.write(s.buffer)
}

// keep sends something, if nothing was sent for long.
func (s *stream) keep(now time.Time) error {
	if now.Sub(s.sent) < beat {
		return nil
	}
	return s.write([]byte(": beat\n\n"))
}

func (s *stream) write(b []byte) error {
	s.sent = time.Now()
	_ = s.rc.SetWriteDeadline(s.sent.Add(stuck)) // not all writers can; those end by themselves
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.rc.Flush()
}

// live tells an operator each second how the cluster is, and a tenant if one is
// named.
func (c *Console) live(w http.ResponseWriter, v *visit) error {
	id := v.URL.Query().Get("tenant")
	if v.URL.Query().Has("tenant") {
		if _, err := c.named(v.Context(), id); err != nil {
			return err
		}
	}
	ctx := v.unbounded()
	first, point, err := c.overview(ctx, id)
	if err != nil {
		return err
	}
	if first.Series, err = c.seriesOf(ctx, ""); err != nil {
		return err
	}
	s, err := c.begin(w, v)
	if err != nil {
		return err
	}
	defer s.leave()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for o := first; ; {
		if s.send("overview", o) != nil || point != nil && s.send("tenant", point) != nil {
			return nil // the viewer is gone
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.over:
			return nil
		case now := <-tick.C:
			if !v.still(now) {
				return nil
			}
		}
		if o, point, err = c.overview(ctx, id); err != nil {
			return nil // the loops have stopped, or the viewer is gone
		}
	}
}

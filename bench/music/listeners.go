package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/tutti-realtime/tutti/extension/music"
	"github.com/tutti-realtime/tutti/internal/load"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// listeners are the members of all rooms. They are for one goroutine.
type listeners struct {
	plan     plan
	audience *load.Audience
	rooms    []room

	before figures // of the server, when the listening began
	since  time.Time
	heard  int            // beats by all members
	came   load.Histogram // how late a beat came to a member, after it was due to leave
	wrong  int
	fault  string // the first wrong one
	latest time.Time
}

// A room is what its first member knows of it.
type room struct {
	tempo   int64 // thousandths of a beat per minute
	origin  music.Segment
	known   bool
	playing bool
	last    int64 // the latest beat
	beats   int
}

func newListeners(p plan, s *server) *listeners {
	l := &listeners{plan: p, rooms: make([]room, p.rooms)}
	l.audience = &load.Audience{URL: s.url, Key: s.key, ConnectRate: 1000, Hear: l.hear}
	for i := range l.rooms {
		l.rooms[i].tempo = 60_000 + int64(i)*180_000/int64(p.rooms) + 7 // 60 to 240 beats per minute, none of them round
		for member := range p.members {
			role := "student"
			if member == 0 {
				role = "teacher"
			}
			l.audience.Seats = append(l.audience.Seats, load.Seat{
				Topic:   fmt.Sprintf("realtime:music_room:%d", i),
				Payload: fmt.Appendf(nil, `{"config":{"presence":{"key":"%d","role":%q}}}`, member, role),
			})
		}
	}
	return l
}

// listen lets all join and play, and hears the beats for as long as planned.
func (l *listeners) listen(ctx context.Context, s *server) error {
	defer l.audience.Close()
	fmt.Printf("%d rooms of %d members, for %v\n", l.plan.rooms, l.plan.members, l.plan.during)
	if err := l.audience.Open(ctx); err != nil {
		return err
	}
	if missing := len(l.audience.Seats) - l.audience.Joined(); missing > 0 {
		return fmt.Errorf("%d members have not joined: %v", missing, l.audience.Failures())
	}
	if err := l.play(ctx); err != nil {
		return err
	}
	var err error
	if l.before, err = s.figures(ctx); err != nil { // what all those joins cost is not to be in what follows
		return err
	}
	l.since, l.heard, l.came = time.Now(), 0, load.Histogram{}
	end := l.since.Add(l.plan.during)
	l.audience.Pump(ctx, func(now time.Time) (time.Time, bool) { return end, !now.Before(end) })
	l.latest = time.Now()
	if failures := l.audience.Failures(); len(failures) > 0 {
		return fmt.Errorf("not all went well: %v", failures)
	}
	return context.Cause(ctx)
}

// play has all teachers set their tempo and start, a few at a time, and returns when
// all rooms play.
func (l *listeners) play(ctx context.Context) error {
	const spacing = 2 * time.Millisecond
	next, at := 0, time.Now()
	deadline := at.Add(time.Minute)
	l.audience.Pump(ctx, func(now time.Time) (time.Time, bool) {
		for ; next < len(l.rooms) && !at.After(now); next++ {
			l.say(next, "set_tempo", fmt.Sprintf(`{"at":"now","bpm":%d.%03d}`, l.rooms[next].tempo/1000, l.rooms[next].tempo%1000))
			l.say(next, "start", `{}`)
			at = at.Add(spacing)
		}
		playing := 0
		for i := range l.rooms {
			if l.rooms[i].playing {
				playing++
			}
		}
		if next < len(l.rooms) {
			return at, false
		}
		return now.Add(50 * time.Millisecond), playing == len(l.rooms) || now.After(deadline)
	})
	for i := range l.rooms {
		if !l.rooms[i].playing {
			return errors.Join(context.Cause(ctx), fmt.Errorf("room %d does not play", i))
		}
	}
	return nil
}

// say has the teacher of a room send an event.
func (l *listeners) say(i int, event, payload string) {
	l.audience.Push(i*l.plan.members, &phoenix.Frame{
		Kind: phoenix.Text, Topic: []byte(l.audience.Seats[i*l.plan.members].Topic), Event: "broadcast",
		Payload: fmt.Appendf(nil, `{"type":"broadcast","event":%q,"payload":%s}`, event, payload),
	})
}

// hear takes a message to a member.
func (l *listeners) hear(seat int, frame []byte, at time.Time) bool {
	if len(frame) == 0 || frame[0] == '[' {
		return false
	}
	f, err := phoenix.DecodeServer(phoenix.V2, false, frame)
	if err != nil {
		return false
	}
	r, first := &l.rooms[seat/l.plan.members], seat%l.plan.members == 0
	switch f.UserEvent {
	case music.TempoChanged:
		if first {
			r.begin(f.Payload)
		}
	case music.BeatDue:
		l.heard++
		if first {
			l.beat(seat/l.plan.members, r, f.Payload, at)
		}
	case music.Refused:
		return false
	}
	return true
}

// begin notes where the room's tempo begins.
func (r *room) begin(payload []byte) {
	var change music.Change
	if json.Unmarshal(payload, &change) == nil && change.Tempo != nil && len(change.Tempo.Add) == 1 {
		r.origin, r.known = change.Tempo.Add[0], true
	}
}

// beat looks whether a beat is where arithmetic says.
func (l *listeners) beat(number int, r *room, payload []byte, came time.Time) {
	var b struct {
		Beat int64      `json:"beat"`
		At   music.Time `json:"at"`
	}
	if err := json.Unmarshal(payload, &b); err != nil {
		l.complain("room %d: %v", number, err)
		return
	}
	l.came.Add(max(0, came.Sub(time.Unix(0, int64(b.At)).Add(-lookAhead))))
	switch off := int64(b.At) - r.expected(b.Beat); {
	case !r.known:
		l.complain("room %d has no tempo yet", number)
	case off < -1000 || off > 1000:
		l.complain("room %d: beat %d is %d ns from where it belongs", number, b.Beat, off)
	case r.playing && b.Beat != r.last+1:
		l.complain("room %d: beat %d follows beat %d", number, b.Beat, r.last)
	}
	r.playing, r.last = true, b.Beat
	r.beats++
}

// expected returns when a beat is, in ns since 1970: exactly, but for the rounding up.
func (r *room) expected(beat int64) int64 {
	const perBeat, perMinute = 1_000_000_000, 60_000 // the server's units: billionths of a beat; ns times thousandths
	n := big.NewInt(beat)
	n.Mul(n, big.NewInt(perBeat)).Sub(n, big.NewInt(int64(r.origin.Beat)))
	n.Mul(n, big.NewInt(perMinute)).Div(n, big.NewInt(r.tempo))
	return int64(r.origin.At) + n.Int64()
}

func (l *listeners) complain(format string, args ...any) {
	if l.wrong++; l.fault == "" {
		l.fault = fmt.Sprintf(format, args...)
	}
}

// report prints what was measured, and fails if a beat was wrong.
func (l *listeners) report(ctx context.Context, s *server) error {
	after, err := s.figures(ctx)
	if err != nil {
		return err
	}
	late := after.histogram(lateness).since(l.before.histogram(lateness))
	beats, longest := 0, 0
	for i := range l.rooms {
		beats += l.rooms[i].beats
		longest = max(longest, l.rooms[i].beats)
	}
	took := l.latest.Sub(l.since).Seconds()
	fmt.Printf("beats of all rooms       %d, up to %d in a room; %d wrong (each compared with arithmetic, to the microsecond)\n", beats, longest, l.wrong)
	fmt.Printf("beats heard              %d by all members, %.0f a second\n", l.heard, float64(l.heard)/took)
	fmt.Printf("left after it was due    %v (at the server, while they were listened to)\n", late)
	fmt.Printf("came after it was due    %v (at each room's first member)\n", l.came.Spread())
	const cpu = "process_cpu_seconds_total"
	fmt.Printf("CPU of the server        %.2f cores while they were listened to, %.1f s since its start\n", (after[cpu]-l.before[cpu])/took, after[cpu])
	if l.wrong > 0 {
		return errors.New(l.fault)
	}
	return nil
}

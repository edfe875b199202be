package music

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A follower is a client who believes what it was told.
type follower struct {
	*pupil
	state State
	beats map[int64]heardBeat // by the rule: the greatest rev counts
}

// listen takes what was heard, and fails when it does not fit together.
func (f *follower) listen(t rapid.TB) {
	for _, m := range f.Heard() {
		switch m.Event {
		case RoomState:
			f.state = decode[welcomePayload](f.t, m.Payload).State
		case TakenOver:
			f.state = decode[TakeOver](f.t, m.Payload).State
		case TempoChanged, MeterChanged, TransportChanged, IntervalChanged:
			next, ok := f.state.Follow(decode[Change](f.t, m.Payload))
			if !ok {
				t.Fatalf("at revision %d comes %s", f.state.Rev, m.Payload)
			}
			f.state = next
		case BeatDue:
			b := decode[heardBeat](f.t, m.Payload)
			if known, there := f.beats[b.Beat]; !there || known.Rev < b.Rev {
				f.beats[b.Beat] = b
			}
		}
	}
}

// Whatever is done, and however often the room moves to another node, those who follow
// the changes know the room's time, and the beats that they were announced are its.
func TestFollowersKnowTheTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := newClass(t, map[string]any{"lead_ms": rapid.SampledFrom([]float64{0, 100}).Draw(rt, "lead")})
		teacher := c.enter("tea", "teacher")
		f := &follower{pupil: c.enter("fay", "listener"), beats: map[int64]heardBeat{}}
		for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				c.house.server = fmt.Sprint("server ", i)
				c.room.Crash()
			case 1, 2, 3:
				c.Advance(time.Duration(rapid.IntRange(0, 5000).Draw(rt, "ms")) * time.Millisecond)
			default:
				name, payload := drawPayload(rt)
				teacher.say(name, payload)
			}
			f.listen(rt)
			now := clock(c.Now())
			for _, b := range f.state.Beats(now.Add(1), now.Add(200*Millisecond), 100) {
				said, there := f.beats[b.Beat]
				if !there || said.At != b.At || said.Bar != b.Place.Bar || said.InBar != b.Place.InBar || said.Off {
					rt.Fatalf("beat %d at %d, in %d ns, was announced as %+v (%v)", b.Beat, b.At, b.At.Sub(now), said, there)
				}
			}
			f.beats = keepAfter(f.beats, now)
		}
		teacher.forget()
		teacher.say(GetState, `{}`)
		want := decode[welcomePayload](t, teacher.last(RoomState)).State
		if !reflect.DeepEqual(f.state, want) {
			rt.Fatalf("a follower has %+v, the room %+v", f.state, want)
		}
	})
}

// keepAfter drops the beats that are over.
func keepAfter(beats map[int64]heardBeat, now Time) map[int64]heardBeat {
	kept := map[int64]heardBeat{}
	for n, b := range beats {
		if b.At >= now {
			kept[n] = b
		}
	}
	return kept
}

// Whatever members send, the room stands.
func FuzzHear(f *testing.F) {
	for _, seed := range [][2]string{
		{SetTempo, `{"bpm":90,"at":"bar"}`}, {PlayNote, `{"midi":60}`}, {TakeEvents, `{"take":"a","seq":0,"ev":[[1,2,3]]}`},
		{ClockPing, `{"id":1,"c0":2}`}, {StartTake, `{"beats":4}`}, {SetRole, `{"student_id":"who","role":"teacher"}`}, {SetPart, `{"student_id":"who","part":"x"}`},
		{ClockReport, `{"rtt_p50":1e9}`}, {Solo, `{"student_id":"tea"}`}, {SetInterval, `{"beats":3}`}, {Seek, `{"bar":-4}`},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		var object map[string]json.RawMessage
		if json.Unmarshal(payload, &object) != nil || object == nil {
			t.Skip()
		}
		c := newClass(t, nil)
		who := c.enter("who", "teacher")
		who.say(Start, `{}`)
		who.say(StartTake, `{"key":"a"}`)
		for range 2 {
			who.Send(event, json.RawMessage(payload))
			c.Advance(3 * time.Second)
			c.room.Crash()
		}
		who.forget()
		who.say(GetState, `{}`)
		who.last(RoomState)
	})
}

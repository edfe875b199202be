package music

import (
	"encoding/json"
	"fmt"
	"testing"
)

// rooms returns clocks that play at different tempos, each after some changes.
func rooms(b *testing.B, n int) []*Clock {
	list := make([]*Clock, n)
	for i := range list {
		c := newClock()
		do(b, c, noon, Start, `{}`)
		for k := range 10 {
			do(b, c, seconds(float64(k)), SetTempo, fmt.Sprintf(`{"bpm":%d,"ramp_beats":2}`, 61+(i*7+k*31)%50))
		}
		list[i] = c
	}
	return list
}

// One look at all of 500 rooms, as the wheel that announces does every 25 ms.
func BenchmarkAnnounce500Rooms(b *testing.B) {
	list := rooms(b, 500)
	now := seconds(20)
	announcers := make([]*Announcer, len(list))
	for i, c := range list {
		announcers[i] = NewAnnouncer(c.State, now)
	}
	b.ReportAllocs()
	beats := 0
	for b.Loop() {
		now = now.Add(25 * Millisecond)
		for i, a := range announcers {
			beats += len(a.Advance(list[i].State, now, 100*Millisecond))
		}
	}
	b.ReportMetric(float64(beats)/float64(b.N), "beats/op")
}

// A change of tempo in each of 500 rooms, with the changes' JSON.
func BenchmarkChangeTempoIn500Rooms(b *testing.B) {
	list := rooms(b, 500)
	commands := []Command{parse(b, SetTempo, `{"bpm":97.5,"ramp_beats":4}`), parse(b, SetTempo, `{"bpm":132.5}`)}
	now := seconds(20)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(Second)
		for _, c := range list {
			_, change := c.Do(commands[i%2], "teacher", now)
			if change == nil {
				b.Fatal("refused")
			}
			if _, err := json.Marshal(change); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkBeatAndTime(b *testing.B) {
	for name, l := range map[string]Timeline{
		"steady": {{At: noon, Tempo: 133_333, To: 133_333}},
		"ramp":   {{At: noon, Tempo: 60_000, To: 180_000, Ramp: 1000 * OneBeat}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := noon.Add(Span(i%400) * Second)
				if l.Time(l.Beat(at)) > at {
					b.Fatal("not inverse")
				}
			}
		})
	}
}

// Ten minutes of sixteenths at 120 bpm: 4,800 onsets.
func BenchmarkScore(b *testing.B) {
	take := playing(b, `{"subdivision":4,"tolerance_ms":60}`)
	take.End = 1200 * OneBeat
	for seq := range int64(10) {
		batch := Batch{Seq: seq}
		for k := range int64(480) {
			on := take.State.Tempo.Time(Beat(seq*480+k) * OneBeat / 4)
			batch.Onsets = append(batch.Onsets, Onset{on.Add(Span(k*7919%40-20) * Millisecond), 38, 97})
		}
		if err := take.Add("anna", batch); err != nil {
			b.Fatal(err)
		}
	}
	recording := take.Recording("anna")
	b.ReportAllocs()
	for b.Loop() {
		recording.Score()
	}
}

func BenchmarkPlayNote(b *testing.B) {
	c := newClock()
	stage := Stage{Rate: Rate{PerSecond: 1_000_000, Burst: 1}}
	now := noon
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(Millisecond)
		n, err := ParseNote(PlayNote, []byte(`{"midi":60,"velocity":97}`), now)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := stage.Play("anna", Student, n, now); err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(c.State.Note("anna", n)); err != nil {
			b.Fatal(err)
		}
	}
}

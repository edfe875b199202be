package music_test

import (
	"encoding/json"
	"fmt"

	"github.com/tutti-realtime/tutti/extension/music"
)

// A teacher starts the music and then slows it down. The room's owner announces
// beats half a second ahead, so one of them is announced twice.
func Example() {
	var now music.Time // of the server's clock
	clock := &music.Clock{State: music.NewState("k1", now, 120*music.BPM, music.CommonTime)}
	announcer := music.NewAnnouncer(clock.State, now)

	say := func(role music.Role, name, payload string) {
		if err := role.Permit(name); err != nil {
			fmt.Println(err)
			return
		}
		command, err := music.ParseCommand(name, []byte(payload))
		if err != nil {
			fmt.Println(err)
			return
		}
		answer, change := clock.Do(command, "user-1", now)
		if answer.Error == nil && change != nil {
			fmt.Println(change.Event, "revision", answer.Rev)
		}
	}
	announce := func() {
		for _, beat := range announcer.Advance(clock.State, now, 500*music.Millisecond) {
			text, _ := json.Marshal(beat)
			fmt.Println(string(text))
		}
	}

	say(music.Student, music.Start, `{}`)
	say(music.Teacher, music.Start, `{}`)
	announce()
	now = now.Add(250 * music.Millisecond)
	say(music.Teacher, music.SetTempo, `{"bpm":60,"at":"now"}`)
	announce()
	// Output:
	// not_allowed: start is for the role assistant and above, and you are student
	// transport_changed revision 2
	// {"beat":0,"bar":1,"beat_in_bar":1,"bpm":120,"at":0,"rev":2,"accent":2}
	// {"beat":1,"bar":1,"beat_in_bar":2,"bpm":120,"at":500,"rev":2,"accent":0}
	// tempo_changed revision 3
	// {"beat":1,"bar":1,"beat_in_bar":2,"bpm":60,"at":750,"rev":3,"accent":0}
}

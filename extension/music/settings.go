package music

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Settings is what a tenant says about its rooms.
type Settings struct {
	Prefix      string        // topic_prefix: topics that begin with it are rooms; "music_room:"
	RoleClaim   []string      // role_claim: the path of the claim that names the role; app_metadata.music_role
	DefaultRole Role          // default_role: of those whom nothing else gives one; student
	TrustJoin   bool          // trust_join_role: believe the role that a join names, for development; false
	LookAhead   Span          // look_ahead_ms: how long before its time a beat is announced, 100 to 5,000; 200
	Beats       BeatMode      // beats: ahead, instant (sent when they are due, for the simplest clients) or off; ahead
	Lead        Span          // lead_ms: how long before its effect a change is known at least, 0 to 2,000; 100
	Notes       Rate          // notes_per_second 1 to 1,000 and note_burst 1 to 1,000, for each player; 30 and 20
	EndAfter    time.Duration // end_after_s: how long a room is remembered after the last leave, 0 to 86,400; 600
	Tempo       Tempo         // bpm: of a new room, 20 to 400; 120
	Meter       Meter         // meter: of a new room; 4/4
	MaxMembers  int           // max_members: sockets in a room, 1 to 5,000; those who lead come in above it; 200
	ClockError  Span          // clock_error_ms: by how much the clocks of two nodes may differ, 0 to 1,000; 1
}

// A BeatMode is when beats are sent.
type BeatMode string

// Modes of beats.
const (
	BeatsAhead   BeatMode = "ahead"
	BeatsInstant BeatMode = "instant"
	BeatsOff     BeatMode = "off"
)

// settingNames are all settings.
var settingNames = []string{
	"topic_prefix", "role_claim", "default_role", "trust_join_role", "look_ahead_ms", "beats", "lead_ms",
	"notes_per_second", "note_burst", "end_after_s", "bpm", "meter", "max_members", "clock_error_ms",
}

const (
	longestPrefix = 128 // characters
	longestPath   = 256 // characters
)

// ReadSettings reads what a tenant says. An error names the setting that is wrong.
func ReadSettings(given map[string]any) (*Settings, error) {
	text, err := json.Marshal(maps.Collect(maps.All(given))) // of nil too it is an object
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(settingNames, name) {
			return nil, fmt.Errorf("there is no setting %.40q: there are %s", name, strings.Join(settingNames, ", "))
		}
	}
	f := readFields(text)
	s := &Settings{
		Prefix:      f.textOr("topic_prefix", longestPrefix, "music_room:"),
		RoleClaim:   strings.Split(f.textOr("role_claim", longestPath, "app_metadata.music_role"), "."),
		DefaultRole: f.defaultRole(),
		TrustJoin:   f.truth("trust_join_role"),
		LookAhead:   Span(f.fixed("look_ahead_ms", timeDigits, int64(100*Millisecond), int64(5*Second), int64(200*Millisecond))),
		Beats:       BeatMode(f.textOr("beats", maxKey, string(BeatsAhead))),
		Lead:        Span(f.fixed("lead_ms", timeDigits, 0, int64(2*Second), int64(100*Millisecond))),
		Notes:       Rate{f.whole("notes_per_second", 1, 1000, NoteRate.PerSecond), f.whole("note_burst", 1, 1000, NoteRate.Burst)},
		EndAfter:    time.Duration(f.whole("end_after_s", 0, 86_400, 600)) * time.Second,
		Tempo:       Tempo(f.fixed("bpm", tempoDigits, int64(MinTempo), int64(MaxTempo), int64(120*BPM))),
		Meter:       CommonTime,
		MaxMembers:  int(f.whole("max_members", 1, 5000, 200)),
		ClockError:  Span(f.fixed("clock_error_ms", timeDigits, 0, int64(Second), int64(Millisecond))),
	}
	if _, there := f.get("meter"); there {
		s.Meter = f.meter()
	}
	f.checkSettings(s)
	if err := f.err(); err != nil {
		return nil, errors.New(refusal(err).Reason)
	}
	return s, nil
}

func (f *fields) checkSettings(s *Settings) {
	if s.Prefix == "" || strings.HasPrefix(s.Prefix, "realtime:") {
		f.wrong(`topic_prefix must be what follows "realtime:", such as "music_room:"`)
	}
	if slices.Contains(s.RoleClaim, "") {
		f.wrong("role_claim must be a path such as app_metadata.music_role")
	}
	if s.RoleClaim[0] == "user_metadata" {
		f.wrong("role_claim must not be in user_metadata: users write that themselves")
	}
	switch s.Beats {
	case BeatsAhead, BeatsInstant, BeatsOff:
	default:
		f.wrong(`beats must be "ahead", "instant" or "off"`)
	}
}

// defaultRole reads default_role.
func (f *fields) defaultRole() Role {
	switch f.textOr("default_role", maxKey, "student") {
	case "student":
		return Student
	case "listener":
		return Listener
	}
	f.wrong(`default_role must be "student" or "listener"`)
	return Student
}

// textOr reads a string.
func (f *fields) textOr(name string, longest int, absent string) string {
	if _, there := f.get(name); !there {
		return absent
	}
	return f.text(name, longest)
}

// truth reads true or false, false when it is absent.
func (f *fields) truth(name string) (v bool) {
	if raw, there := f.get(name); there && json.Unmarshal(raw, &v) != nil {
		f.wrong("%s must be true or false", name)
	}
	return v
}

// shorten returns the first characters of a text.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most])
}

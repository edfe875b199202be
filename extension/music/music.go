// Package music is a music classroom: rooms in which all members share one musical
// time, play notes, and are scored. It is an extension of the server (Extension),
// and imports nothing of it but the root package. docs/music.md is its protocol.
//
// # The core
//
// Most of it computes and nothing else: which beat is at which moment of the server's
// clock, what a command changes, which beats are to be announced, how well a student
// played, who may do what. There it has no I/O, no goroutines and no clock: whoever
// runs a room passes in what time it is, and calls from one goroutine at a time. Values
// that travel (State, Change, BeatEvent, Score) are never altered after they were made,
// so they may be shared.
//
// The model is that of Ableton Link and of the W3C timing object: a timeline that
// always runs, as a list of segments that each say where a beat is and how fast
// beats follow it; whether anybody hears the beats (transport) and what they are
// called (bars) are lists of their own along the same beats.
//
// # Rooms with people
//
// An actor (actor.go) runs one room for the server: it lets members in (people.go), obeys
// them (hear.go, livetake.go), says what is to come (announce.go, roster.go), keeps what the
// next actor must know (kept.go), and has the lesson written down (tables.go, minutes.go,
// record.go). It owns no goroutine. SQL stands beside what runs it, in record.go and
// reflections.go, as internal/postgres cannot know an extension's tables.
package music

// Package music knows musical time and the rules of a music classroom: which
// beat is at which moment of the server's clock, what a command changes, which
// beats are to be announced, how well a student played, who may do what.
//
// It computes and nothing else: no I/O, no goroutines, no clock. Whoever runs a
// room passes in what time it is, and calls from one goroutine at a time.
// Values that travel (State, Change, BeatEvent, Score) are never altered
// after they were made, so they may be shared.
//
// The model is that of Ableton Link and of the W3C timing object: a timeline
// that always runs, as a list of segments that each say where a beat is and how
// fast beats follow it; whether anybody hears the beats (transport) and what
// they are called (bars) are lists of their own along the same beats.
package music

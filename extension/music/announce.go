package music

// saidIntervals is the intervals of which the members know, by their numbers.
type saidIntervals map[int64]Interval

// ahead returns how long before its time a beat is said.
func (a *actor) ahead() Span {
	if a.set.Beats == BeatsInstant {
		return 0
	}
	return a.set.LookAhead
}

// announce says which beats and intervals are to come.
func (a *actor) announce(now Time) {
	due, planned := a.announcer.Wake(a.ahead())
	for _, e := range a.announcer.Advance(a.clock.State, now, a.ahead()) {
		if a.set.Beats != BeatsOff {
			a.room.Broadcast(BeatDue, toJSON(e))
			a.house.stats.beats.Add(1)
		}
	}
	if planned && due <= now {
		a.house.stats.lateness.add(clock(a.room.Now()).Sub(due))
	}
	a.announceIntervals(now)
}

// announceIntervals says which intervals are about to begin, and of those that were
// said what is no longer so.
func (a *actor) announceIntervals(now Time) {
	state := a.clock.State
	coming := state.Intervals(now.Add(-maxLate), now.Add(a.ahead())+1)
	if i, runs := state.Running(now); runs {
		coming = append(coming, i)
	}
	for number, i := range a.intervals {
		if i.Until < now.Add(-maxLate) {
			delete(a.intervals, number)
		}
	}
	for _, i := range coming {
		known, said := a.intervals[i.Number]
		known.Rev = i.Rev
		if i.Until <= now || said && known == i {
			continue
		}
		if a.intervals == nil {
			a.intervals = saidIntervals{}
		}
		a.intervals[i.Number] = i
		a.room.Broadcast(IntervalDue, toJSON(i))
	}
}

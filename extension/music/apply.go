package music

// apply returns the state with a command that comes at now, what is changed, and
// where that takes effect. It does not count the revision. The error is a
// *Refusal.
func (s State) apply(c Command, now Time) (after State, event string, effect Beat, err error) {
	at := s.effect(c.At, now)
	switch c.Name {
	case SetTempo:
		after, event, effect = s.setTempo(c, at), TempoChanged, at
	case SetMeter:
		effect, event = s.meterLine(s.Tempo.BeatAfter(now)), MeterChanged
		after = s.setMeter(effect, c.Meter)
	case Start, CountIn:
		event, effect = TransportChanged, at.Ceil()
		after, err = s.begin(c, at.Ceil())
	case Stop:
		event, effect = TransportChanged, at
		after, err = s.stop(at)
	case Seek:
		event, effect = TransportChanged, at.Ceil()
		after, err = s.seek(c, at.Ceil())
	case SetInterval:
		after, effect = s.setInterval(c, s.Tempo.BeatAfter(now))
		event = IntervalChanged
	default:
		err = refuse(UnknownCommand, "there is no command %.40q", c.Name)
	}
	return after, event, effect, err
}

// effect returns the first position of a quantum that comes at now or later.
func (s State) effect(q Quantum, now Time) Beat {
	switch q {
	case AtNow:
		return s.Tempo.soon(now)
	case AtBar:
		return s.Bars.Line(s.Tempo.BeatAfter(now))
	}
	return s.Tempo.BeatAfter(now)
}

func (s State) setTempo(c Command, b Beat) State {
	s.Tempo = s.Tempo.change(b, c.Tempo, c.Ramp)
	return s
}

// meterLine returns where a meter that is set before b takes effect: at the next
// bar line, and not before the end of a count-in, whose length is fixed.
func (s State) meterLine(b Beat) Beat {
	for _, t := range s.Transport {
		if t.Mode == Playing {
			b = max(b, t.Beat.Ceil())
		}
	}
	return s.Bars.Line(b)
}

func (s State) setMeter(line Beat, m Meter) State {
	p := s.Bars.Place(line)
	p.Meter = m
	s.Bars = s.Bars.relabel(line, p)
	return s.recue(line)
}

// lastMeter returns the meter that was set last, even when its bar line is still
// to come.
func (s State) lastMeter() Meter { return s.Bars[len(s.Bars)-1].Meter }

// recue has stops that are still to come go on at what their beats are called
// now.
func (s State) recue(b Beat) State {
	turns := from(s.Transport, MaxBeat+1)
	for i := 1; i < len(turns); i++ {
		if t := &turns[i]; t.Beat >= b && t.Mode == Stopped && turns[i-1].Mode == Playing {
			p := s.Bars.Place(t.Beat.Ceil())
			t.Bar, t.InBar = p.Bar, p.InBar
		}
	}
	s.Transport = turns
	return s
}

// begin starts the music, or its count-in, at a whole beat, where it stopped or
// at the place that the command names.
func (s State) begin(c Command, b Beat) (State, error) {
	i := inForce(s.Transport, b)
	now, last := s.Transport[i], i == len(s.Transport)-1
	switch {
	case now.Mode == Playing && !last && c.InBar == 0 && c.Bars == 0:
		s.Transport = s.Transport[: i+1 : i+1] // it was about to stop, and does not
		return s, nil
	case now.Mode != Stopped:
		return s, refuse(AlreadyPlaying, "the music plays already: use seek to go elsewhere, or stop first")
	}
	p := Place{now.Bar, now.InBar, s.lastMeter()}
	if c.InBar > 0 {
		p.Bar, p.InBar = c.Bar, c.InBar
		if err := p.inMeter(); err != nil {
			return s, err
		}
	} else if p.InBar > int(p.Meter.Beats) { // the meter changed since
		p.InBar = 1
	}
	music := b + Beat(c.Bars*p.Meter.length())*OneBeat
	s.Transport = from(s.Transport, b, Turn{Beat: music, Mode: Playing})
	if c.Bars > 0 {
		s.Transport = from(s.Transport, b, Turn{Beat: b, Mode: Counting}, Turn{Beat: music, Mode: Playing})
	}
	p.Bar -= c.Bars
	s.Bars = s.Bars.relabel(b, p)
	return s.restartCycle(music), nil
}

// inMeter refuses a place that the meter does not have.
func (p Place) inMeter() error {
	if p.InBar > int(p.Meter.Beats) {
		return refuse(BadPayload, "a bar of %v has no beat %d", p.Meter, p.InBar)
	}
	return nil
}

// stop silences the beats from b on.
func (s State) stop(b Beat) (State, error) {
	i := inForce(s.Transport, b)
	turn := Turn{Beat: b}
	switch now := s.Transport[i]; {
	case now.Mode == Stopped && i == len(s.Transport)-1:
		return s, refuse(AlreadyStopped, "the music does not play")
	case now.Mode == Stopped: // it was about to start, and does not
		turn.Bar, turn.InBar = now.Bar, now.InBar
	default:
		first := b.Ceil() // that is not heard
		if now.Mode == Counting && i+1 < len(s.Transport) {
			first = max(first, s.Transport[i+1].Beat)
		}
		p := s.Bars.Place(first)
		turn.Bar, turn.InBar = p.Bar, p.InBar
	}
	s.Transport = from(s.Transport, b, turn)
	return s, nil
}

// seek calls a whole beat anew, and those after it. When it leads into the midst
// of a bar, that bar is a pickup.
func (s State) seek(c Command, b Beat) (State, error) {
	i := inForce(s.Transport, b)
	now, last := s.Transport[i], i == len(s.Transport)-1
	if now.Mode == Counting || now.Mode == Stopped && !last {
		return s, refuse(AboutToStart, "the music is about to start: seek when it plays, or stop first")
	}
	p := Place{c.Bar, c.InBar, s.lastMeter()}
	if now.Mode == Stopped {
		if err := p.inMeter(); err != nil {
			return s, err
		}
		s.Transport = from(s.Transport, b, Turn{Beat: b, Bar: p.Bar, InBar: p.InBar})
		return s, nil
	}
	pending := p.Meter
	if p.InBar > 1 { // a meter that waits for its bar line waits for the new one
		p.Meter = s.Bars.Place(b).Meter
	}
	if err := p.inMeter(); err != nil {
		return s, err
	}
	s.Bars = s.Bars.relabel(b, p)
	if pending != p.Meter {
		return s.setMeter(s.Bars.Line(b), pending), nil
	}
	return s.recue(b), nil
}

// setInterval takes effect where the next interval begins, or at a bar line if
// there are none yet.
func (s State) setInterval(c Command, b Beat) (State, Beat) {
	now, _ := s.cycleAt(b)
	line, number := s.Bars.Line(b), now.Number
	if now.Length > 0 {
		line, number = now.boundary(b)
	}
	s.Cycles = from(s.Cycles, line, Cycle{line, c.Beats, number})
	return s, line
}

// restartCycle has an interval begin with the music.
func (s State) restartCycle(b Beat) State {
	now, _ := s.cycleAt(b)
	if now.Length > 0 {
		_, number := now.boundary(b)
		s.Cycles = from(s.Cycles, b, Cycle{b, now.Length, number})
	}
	return s
}

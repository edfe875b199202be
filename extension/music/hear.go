package music

import (
	"github.com/tutti-realtime/tutti"
)

// hear does what a member wants, or says why not.
func (a *actor) hear(e *tutti.Event) {
	s := a.seats[e.Member.ID]
	if s == nil {
		return
	}
	a.renewed(s)
	err := s.person.role.Permit(e.Name)
	if err == nil {
		err = s.hurry(e.Name, a.now())
	}
	if err == nil {
		err = a.obey(s, e)
	}
	if err != nil {
		a.refuse(s, e, err, 0)
	}
}

// eventRate lets nobody keep a room busy: it is far above what a page sends, and a get_state
// costs some kilobytes. Notes have a rate of their own.
var eventRate = Rate{PerSecond: 20, Burst: 60}

// hurry refuses what comes too often.
func (s *seat) hurry(event string, now Time) error {
	switch event {
	case PlayNote, NoteOff, AllNotesOff:
		return nil
	}
	wait, ok := s.events.Take(eventRate, now)
	if ok {
		return nil
	}
	r := refuse(TooManyEvents, "more than %d events per second: the next is let through in %d ms",
		eventRate.PerSecond, (wait+Millisecond-1)/Millisecond)
	r.Retry = wait
	return r
}

// obey does what a member may do. The error is a *Refusal.
func (a *actor) obey(s *seat, e *tutti.Event) error {
	switch e.Name {
	case SetTempo, SetMeter, Start, Stop, Seek, CountIn, SetInterval:
		return a.command(s, e)
	case PlayNote, NoteOff:
		return a.play(s, e)
	case AllNotesOff:
		a.sound(s.person.id, a.stage.Silence(s.person.id, clock(e.At)))
	case GetState:
		a.greet(s)
	case ClockReport:
		return a.report(s, e)
	case Mute, Unmute, Solo, Unsolo:
		return a.hush(s, e)
	case SetRole:
		return a.setRole(s, e)
	case SetPart:
		return a.setPart(s, e)
	case StartTake:
		return a.startTake(s, e)
	case StopTake:
		return a.stopTake(s, e)
	case TakeEvents:
		return a.collect(s, e)
	default: // clock_ping is answered at the door
		return refuse(UnknownCommand, "there is no command %.40q", e.Name)
	}
	return nil
}

// refusedPayload says to its sender why a command was not obeyed.
type refusedPayload struct {
	Command string `json:"command"`
	Key     string `json:"key,omitempty"`
	Refusal
	Rev uint64 `json:"rev,omitempty"`
}

// refuse tells a member that an event had no effect.
func (a *actor) refuse(s *seat, e *tutti.Event, err error, rev uint64) {
	a.house.stats.refusals.Add(1)
	a.room.Tell(s.member, Refused, toJSON(refusedPayload{e.Name, keyOf(e.Payload), *refusal(err), rev}))
}

// keyOf returns the key of a command, "" for one that is wrong.
func keyOf(payload []byte) string {
	f := readFields(payload)
	key := f.text("key", maxKey)
	if f.fault != nil {
		return ""
	}
	return key
}

// answerPayload says to its sender that a command was obeyed.
type answerPayload struct {
	Command string `json:"command"`
	Answer
	Take string `json:"take,omitempty"`
}

// answer tells a member that a command was obeyed, which is no command of the
// clock.
func (a *actor) answer(s *seat, e *tutti.Event) {
	a.room.Tell(s.member, AnswerEvent, toJSON(answerPayload{
		Command: e.Name, Answer: Answer{Key: keyOf(e.Payload), Rev: a.clock.State.Rev},
	}))
}

// command changes the room's time.
func (a *actor) command(s *seat, e *tutti.Event) error {
	command, err := ParseCommand(e.Name, e.Payload)
	if err != nil {
		return err
	}
	now := a.now()
	answer, change := a.clock.Do(command, s.person.id, now)
	if answer.Error != nil {
		a.refuse(s, e, answer.Error, answer.Rev)
		return nil
	}
	if change != nil {
		a.follow(change)
		a.keep()
		a.room.Broadcast(change.Event, toJSON(change))
		a.announce(now)
	}
	a.room.Tell(s.member, AnswerEvent, toJSON(answerPayload{Command: e.Name, Answer: answer}))
	return nil
}

// follow has what depends on the room's time know of a change.
func (a *actor) follow(c *Change) {
	if a.take != nil {
		a.take.follow(a, *c)
	}
	a.tables.follow(a, c)
}

// play has the room hear a note.
func (a *actor) play(s *seat, e *tutti.Event) error {
	n, err := ParseNote(e.Name, e.Payload, clock(e.At))
	if err != nil {
		return err
	}
	p := s.person
	heard, err := a.stage.Play(p.id, p.role, n, a.now())
	if heard {
		a.sound(p.id, []Note{n})
	}
	return err
}

// sound says notes of a player to all.
func (a *actor) sound(id string, notes []Note) {
	for _, n := range notes {
		a.room.Broadcast(NotePlayed, toJSON(a.clock.State.Note(id, n)))
		a.house.stats.notes.Add(1)
	}
}

// report notes what a client says of its clock.
func (a *actor) report(s *seat, e *tutti.Event) error {
	q, err := parseReport(e.Payload)
	if err != nil {
		return err
	}
	s.person.quality = &q
	a.qualityChanged()
	return nil
}

// hush mutes, lets one play alone, and takes both back.
func (a *actor) hush(s *seat, e *tutti.Event) error {
	who, err := ParseWho(e.Payload)
	if err != nil {
		return err
	}
	p := a.people[who]
	switch {
	case p == nil && (e.Name == Mute || e.Name == Solo):
		return errUnknown
	case p != nil && p.role > s.person.role:
		return refuse(NotAllowed, "%s is above you", p.role)
	}
	now := a.now()
	switch e.Name {
	case Mute, Unmute:
		a.sound(who, a.stage.Mute(who, e.Name == Mute, now))
	default:
		off := a.stage.Solo(who, e.Name == Solo, a.leads, now)
		for _, m := range a.room.Members() {
			if other := a.seats[m.ID]; other != nil {
				a.sound(other.person.id, off[other.person.id])
				delete(off, other.person.id)
			}
		}
	}
	a.answered(s, e)
	return nil
}

var errUnknown = refuse(UnknownMember, "nobody of that name is in the room")

// answered ends a command that changed something about the members.
func (a *actor) answered(s *seat, e *tutti.Event) {
	a.rosterChanged()
	a.keep()
	a.answer(s, e)
}

// setRole gives somebody a role.
func (a *actor) setRole(s *seat, e *tutti.Event) error {
	who, role, err := ParseRole(e.Payload)
	if err != nil {
		return err
	}
	roles := Members{}
	for id, p := range a.people {
		roles[id] = p.role
	}
	if err := roles.Give(s.person.id, who, role); err != nil {
		return err
	}
	a.given[who] = role
	a.assign(a.people[who])
	if role < Student {
		a.sound(who, a.stage.Silence(who, a.now()))
	}
	a.answered(s, e)
	return nil
}

// setPart says what somebody plays.
func (a *actor) setPart(s *seat, e *tutti.Event) error {
	f := readFields(e.Payload)
	f.need("student_id")
	f.need("part")
	who, part := f.text("student_id", maxName), f.text("part", longestDisplay)
	if err := f.err(); err != nil {
		return err
	}
	if a.people[who] == nil {
		return errUnknown
	}
	delete(a.parts, who)
	if part != "" {
		a.parts[who] = part
	}
	a.answered(s, e)
	return nil
}

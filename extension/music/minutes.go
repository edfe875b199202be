package music

// What of a lesson is written down.

// follow notes a change of the room's time.
func (t *tables) follow(a *actor, c *Change) {
	if t != nil {
		written := *c
		written.Key = clean(c.Key)
		t.put(a, recordChange, t.session, string(toJSON(written)), wholeText(c.Rev))
	}
}

// attend notes that somebody is there. Who teaches by token is noted as the room's
// teacher, so that the policies know it; who says so in a join is not.
func (t *tables) attend(a *actor, p *person) {
	if t == nil {
		return
	}
	id, again := t.before[p.id]
	if !again {
		id = newUUID()
	}
	delete(t.before, p.id)
	t.open[p.id] = id
	t.put(a, recordAttend, id, t.session, t.room, p.id, p.name, p.role.String(), ms(a.now()))
	for _, s := range p.seats {
		if s.member.Claims.Subject == p.id && a.set.byToken(s.member) == Teacher && !t.teaches(p.id) {
			t.put(a, recordTeacher, t.room, p.id)
			return
		}
	}
}

// depart notes that somebody has gone.
func (t *tables) depart(a *actor, p *person) {
	if t == nil {
		return
	}
	if id, open := t.open[p.id]; open {
		delete(t.open, p.id)
		t.put(a, recordDepart, id, ms(a.now()))
	}
}

// takeBegins notes a take.
func (t *tables) takeBegins(a *actor, take *liveTake) {
	if t != nil {
		t.put(a, recordTake, take.ID, t.session, t.room, string(toJSON(take.Grading)),
			string(fixed(int64(take.Begin), beatDigits)), take.by, ms(take.State.Tempo.Time(take.Begin)))
	}
}

// onsets notes what a student played.
func (t *tables) onsets(a *actor, student string, b Batch) {
	if t != nil {
		t.put(a, recordOnsets, b.Take, student, wholeText(b.Seq), t.room, string(toJSON(b.Onsets)))
	}
}

// takeEnds notes how a take was played.
func (t *tables) takeEnds(a *actor, take *liveTake, scores []Score) {
	if t == nil {
		return
	}
	state := take.State.Prune(take.State.Tempo.Time(take.Begin).Add(-Second))
	t.put(a, recordTakeEnd, take.ID, string(fixed(int64(take.End), beatDigits)),
		ms(take.State.Tempo.Time(take.End)), string(toJSON(state)))
	for _, s := range scores {
		t.put(a, recordScore, take.ID, s.Student, t.room, string(toJSON(s)))
	}
}

// goOn says that the session goes on, and looks whether the row of the room has
// changed.
func (t *tables) goOn(a *actor) {
	if t == nil {
		return
	}
	a.agenda.soon(stillHere, a.room.Now().Add(seenEvery))
	t.put(a, recordSeen, t.session, ms(a.now()))
	t.readRow(a, false)
}

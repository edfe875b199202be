package music

import (
	"context"
	"errors"
	"strings"

	"github.com/tutti-realtime/tutti"
)

// A record is something that is to stand in the tables. Writing it twice is writing it
// once. Its arguments are text, so that it can be kept and written by another node.
type record struct {
	Kind recordKind `json:"kind"`
	Args []string   `json:"args"`
}

type recordKind string

const (
	recordRoom    recordKind = "room"    // name
	recordTeacher recordKind = "teacher" // room, student
	recordSession recordKind = "session" // id, room, topic, ms, state
	recordSeen    recordKind = "seen"    // session, ms
	recordChange  recordKind = "change"  // session, change, rev
	recordEnd     recordKind = "end"     // session, ms
	recordAttend  recordKind = "attend"  // id, session, room, student, name, role, ms
	recordDepart  recordKind = "depart"  // id, ms
	recordTake    recordKind = "take"    // id, session, room, grading, begin, by, ms
	recordOnsets  recordKind = "onsets"  // take, student, seq, room, onsets
	recordScore   recordKind = "score"   // take, student, room, score
	recordTakeEnd recordKind = "takeend" // id, end, ms, state
)

// statements write records.
var statements = map[recordKind]string{
	recordRoom:    insertRoom,
	recordTeacher: addTeacher,
	recordSession: insertSession,
	recordSeen:    seeSession,
	recordChange:  addChange,
	recordEnd:     endSession,
	recordAttend:  insertAttendance,
	recordDepart:  endAttendance,
	recordTake:    insertTake,
	recordOnsets:  insertOnsets,
	recordScore:   insertScore,
	recordTakeEnd: finishTake,
}

const (
	insertRoom = `INSERT INTO music.rooms (name) VALUES ($1::text) ON CONFLICT DO NOTHING`

	addTeacher = `
UPDATE music.rooms SET teachers = array_append(teachers, $2::text)
WHERE name = $1::text AND NOT $2::text = ANY (teachers)`

	// A session that goes on has not ended, whatever was written before. Those before
	// it, of whose end nobody knew, ended when they were last seen.
	insertSession = `
WITH stale AS (
  UPDATE music.sessions SET ended_at = seen_at
  WHERE room = $2::text AND topic = $3::text AND ended_at IS NULL AND id <> $1::text::uuid
  RETURNING id, seen_at
), gone AS (
  UPDATE music.attendance a SET left_at = s.seen_at FROM stale s
  WHERE a.session = s.id AND a.left_at IS NULL
)
INSERT INTO music.sessions (id, room, topic, started_at, seen_at, tempo_map)
VALUES ($1::text::uuid, $2::text, $3::text, to_timestamp($4::text::float8 / 1000), to_timestamp($4::text::float8 / 1000),
  jsonb_build_array($5::text::jsonb))
ON CONFLICT (id) DO UPDATE SET ended_at = NULL`

	seeSession = `
UPDATE music.sessions SET seen_at = greatest(seen_at, to_timestamp($2::text::float8 / 1000)) WHERE id = $1::text::uuid`

	addChange = `
UPDATE music.sessions SET tempo_map = tempo_map || jsonb_build_array($2::text::jsonb)
WHERE id = $1::text::uuid AND NOT tempo_map @> jsonb_build_array(jsonb_build_object('rev', $3::text::bigint))`

	// Whoever is still there comes back when the session goes on.
	endSession = `
WITH gone AS (
  UPDATE music.attendance SET left_at = to_timestamp($2::text::float8 / 1000)
  WHERE session = $1::text::uuid AND left_at IS NULL
)
UPDATE music.sessions SET ended_at = to_timestamp($2::text::float8 / 1000), seen_at = to_timestamp($2::text::float8 / 1000)
WHERE id = $1::text::uuid`

	insertAttendance = `
INSERT INTO music.attendance (id, session, room, student_id, name, role, joined_at)
VALUES ($1::text::uuid, $2::text::uuid, $3::text, $4::text, nullif($5::text, ''), $6::text, to_timestamp($7::text::float8 / 1000))
ON CONFLICT (id) DO UPDATE SET left_at = NULL, role = excluded.role`

	endAttendance = `
UPDATE music.attendance SET left_at = to_timestamp($2::text::float8 / 1000) WHERE id = $1::text::uuid`

	insertTake = `
INSERT INTO music.takes (id, session, room, grading, begin_beat, started_by, started_at)
VALUES ($1::text, $2::text::uuid, $3::text, $4::text::jsonb, $5::text::numeric, $6::text, to_timestamp($7::text::float8 / 1000))
ON CONFLICT DO NOTHING`

	insertOnsets = `
INSERT INTO music.onsets (take, student_id, seq, room, onsets)
VALUES ($1::text, $2::text, $3::text::bigint, $4::text, $5::text::jsonb) ON CONFLICT DO NOTHING`

	insertScore = `
INSERT INTO music.scores (take, student_id, room, score) VALUES ($1::text, $2::text, $3::text, $4::text::jsonb)
ON CONFLICT (take, student_id) DO UPDATE SET score = excluded.score`

	finishTake = `
UPDATE music.takes SET end_beat = $2::text::numeric, ended_at = to_timestamp($3::text::float8 / 1000), state = $4::text::jsonb
WHERE id = $1::text`

	selectRoom = `SELECT teachers, settings::text FROM music.rooms WHERE name = $1::text`
)

// write writes records in one transaction.
func write(ctx context.Context, db tutti.ExtensionDatabase, records []record) error {
	return db.Owner(ctx, func(tx tutti.Tx) error {
		for _, r := range records {
			args := make([]any, len(r.Args))
			for i, arg := range r.Args {
				args[i] = clean(arg)
			}
			if _, err := tx.Exec(ctx, statements[r.Kind], args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// clean returns a text without what PostgreSQL does not take.
func clean(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
}

// isHopeless reports whether an error is of what is written, and not of the
// database's state: it will not go away.
func isHopeless(err error) bool {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) {
		return false
	}
	switch code := state.SQLState(); {
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "23"), strings.HasPrefix(code, "42"):
		return true // data, constraints, names and rights
	}
	return false
}

// stateIs reports whether PostgreSQL gave a code with an error.
func stateIs(err error, code string) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == code
}

package music

import (
	"errors"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/tuttitest"
)

// written returns how often each statement was executed.
func written(db *tuttitest.Database) map[string]int {
	counts := map[string]int{}
	for _, s := range db.Did {
		counts[s.SQL]++
	}
	return counts
}

func newClassWithTables(t *testing.T, db *tuttitest.Database) *class {
	c := newClass(t, map[string]any{"lead_ms": 0.0})
	c.Database = db
	return c
}

func TestLessonIsWrittenDown(t *testing.T) {
	t.Parallel()
	db := &tuttitest.Database{}
	c := newClassWithTables(t, db)
	teacher, ann, bob := c.enter("tea", "teacher"), c.enter("ann", "student"), c.enter("bob", "student")
	playTake(c, teacher, ann, bob, func() {})
	for _, p := range []*pupil{ann, bob, teacher} {
		p.Leave()
	}
	got := written(db)
	for sql, want := range map[string]int{
		insertRoom: 1, insertSession: 1, insertAttendance: 3, endAttendance: 2 + 1, addTeacher: 1, addChange: 1,
		insertTake: 1, insertOnsets: 16, insertScore: 2, finishTake: 1, endSession: 1,
	} {
		if got[sql] != want {
			t.Errorf("%d times, not %d: %s", got[sql], want, sql)
		}
	}
	if n := c.house.stats.unsaved.Load(); n != 0 {
		t.Errorf("%d records wait", n)
	}
}

func TestDatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	db := &tuttitest.Database{Fail: errors.New("away")}
	c := newClassWithTables(t, db)
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	teacher.say(SetTempo, `{"bpm":90}`)
	ann.last(TempoChanged)
	c.Advance(10 * time.Minute)
	if len(db.Did) > 0 {
		t.Fatalf("%v was done", db.Did)
	}
	db.Fail = nil
	c.Advance(longestPause)
	got := written(db)
	if got[insertSession] != 1 || got[addChange] != 1 || got[insertAttendance] != 2 {
		t.Errorf("when the database is back there was written %v", got)
	}
	c.room.Crash()
	c.Advance(time.Second)
	if again := written(db)[insertAttendance]; again != 4 {
		t.Errorf("who is there is written again %d times, not twice, by a new actor", again-2)
	}
}

// A wrong is an error of PostgreSQL.
type wrong string

func (w wrong) Error() string    { return "wrong" }
func (w wrong) SQLState() string { return string(w) }

func TestRecordThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	db := &tuttitest.Database{Fail: wrong("23503")}
	c := newClassWithTables(t, db)
	c.enter("ann", "student")
	c.Advance(time.Second / 4)
	waiting := c.house.stats.unsaved.Load()
	c.Advance(20 * time.Second)
	if left := c.house.stats.unsaved.Load(); left >= waiting {
		t.Errorf("%d of %d records still wait though they will never be taken", left, waiting)
	}
	if lost := c.house.stats.lost.Load(); lost == 0 {
		t.Error("nobody counts what is lost")
	}
	db.Fail = nil
	c.Advance(time.Minute)
	if left := c.house.stats.unsaved.Load(); left != 0 {
		t.Errorf("%d records wait", left)
	}
}

func TestRoomsRow(t *testing.T) {
	t.Parallel()
	db := &tuttitest.Database{}
	db.Answer(selectRoom, []any{[]string{"sue"}, `{"bpm":72,"meter":"3/4"}`})
	c := newClassWithTables(t, db)
	sue := c.enter("sue", "student")
	w := decode[welcomePayload](t, sue.last(RoomState))
	if w.You.Role != Teacher || w.State.Tempo[0].Tempo != 72*BPM || w.State.Bars[0].Meter.Beats != 3 {
		t.Errorf("with the row the room begins as %+v", w)
	}
	db.Answer(selectRoom, []any{[]string{}, `{}`})
	c.Advance(seenEvery + time.Second)
	sue.say(SetTempo, `{"bpm":80}`)
	sue.refused(NotAllowed)
}

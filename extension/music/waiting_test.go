package music

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/tuttitest"
)

// A slowRoom is a room whose database has not answered yet.
type slowRoom struct {
	nopRoom
	set   *Settings
	now   time.Time
	all   []*tutti.Member
	told  []string
	works []func(context.Context) func()
	wake  time.Time
	kept  []byte
}

func (r *slowRoom) Context() context.Context          { return r.t.Context() }
func (r *slowRoom) Topic() tutti.Topic                { return tutti.Topic{Name: "music_room:7b"} }
func (r *slowRoom) Settings() any                     { return r.set }
func (r *slowRoom) Now() time.Time                    { return r.now }
func (r *slowRoom) Members() []*tutti.Member          { return r.all }
func (r *slowRoom) Wake(at time.Time)                 { r.wake = at }
func (r *slowRoom) Keep(state []byte)                 { r.kept = state }
func (r *slowRoom) Restored() ([]byte, bool)          { return nil, false }
func (r *slowRoom) Database() tutti.ExtensionDatabase { return &tuttitest.Database{} }
func (r *slowRoom) Broadcast(event string, _ []byte)  { r.told = append(r.told, "all "+event) }
func (r *slowRoom) Tell(m *tutti.Member, event string, _ []byte) {
	r.told = append(r.told, m.Key+" "+event)
}
func (r *slowRoom) Go(work func(context.Context) func()) (ok bool) {
	r.works = append(r.works, work)
	return true
}

func openSlowly(t *testing.T) (*slowRoom, *actor) {
	set, err := ReadSettings(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &slowRoom{nopRoom: nopRoom{t: t}, set: set, now: tuttitest.Began}
	h := newHouse()
	opened, err := h.open(r)
	if err != nil {
		t.Fatal(err)
	}
	return r, opened.(*actor)
}

func (r *slowRoom) enter(a *actor, id, role string) *tutti.Member {
	m := memberAs(id, role)
	m.ID = id
	r.all = append(r.all, &m)
	if err := a.Join(&m); err != nil {
		r.t.Fatal(err)
	}
	return &m
}

func TestRoomWaitsForItsRow(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*slowRoom, *actor){
		"until it is there":          func(r *slowRoom, _ *actor) { r.works[0](t.Context())() },
		"but not for ever":           func(r *slowRoom, a *actor) { r.now = r.now.Add(rowPatience); a.Wake(r.now) },
		"or until the room is ended": func(_ *slowRoom, a *actor) { a.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, a := openSlowly(t)
			r.enter(a, "ann", "student")
			bob := r.enter(a, "bob", "student")
			a.Hear(&tutti.Event{Member: bob, Name: PlayNote, Payload: []byte(`{"midi":60}`), At: r.now})
			a.Leave(bob)
			if len(r.told) > 0 {
				t.Fatalf("before its row is known the room says %v", r.told)
			}
			answer(r, a)
			const want = "ann room_state, bob room_state, all student_note, all student_note"
			if got := strings.Join(r.told, ", "); !strings.HasPrefix(got, want) {
				t.Errorf("then it says %s, not %s", got, want)
			}
			if len(a.people) != 1 || a.people["ann"] == nil {
				t.Errorf("there are %v", a.people)
			}
		})
	}
}

func TestKeepIsBounded(t *testing.T) {
	t.Parallel()
	r, a := openSlowly(t)
	a.getReady()
	ann := r.enter(a, "ann", "teacher")
	a.Hear(&tutti.Event{Member: ann, Name: StartTake, Payload: []byte(`{}`), At: r.now})
	for range maxQueue + 10 {
		a.tables.put(a, recordRoom, strings.Repeat("x", 200))
	}
	if len(a.tables.queue) != maxQueue || a.house.stats.lost.Load() == 0 {
		t.Errorf("%d records wait, %d were given up", len(a.tables.queue), a.house.stats.lost.Load())
	}
	for i := range 3000 {
		a.given[strings.Repeat("n", 300)+string(rune(i+1000))] = Student
	}
	a.take.parts = map[string]*part{"ann": {batches: map[int64]struct{}{}, onsets: make([]Onset, maxKeptOnsets)}}
	a.keep()
	if len(r.kept) > maxState {
		t.Errorf("%d bytes are kept", len(r.kept))
	}
}

package music

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/tutti-realtime/tutti"
)

const (
	// insertReflection belongs to the session that its room had last.
	insertReflection = `
INSERT INTO music.reflections (room, session, name, mood, text)
VALUES ($1::text, (SELECT id FROM music.sessions WHERE room = $1::text ORDER BY started_at DESC LIMIT 1),
  nullif($2::text, ''), $3::text::smallint, $4::text)
RETURNING id, room, student_id, coalesce(name, ''), mood, text, created_at`

	selectReflections = `
SELECT id, room, student_id, coalesce(name, ''), mood, text, created_at FROM music.reflections
WHERE room = $1::text ORDER BY id DESC LIMIT 200`
)

const (
	maxReflection = 64 << 10 // bytes of a request
	longestText   = 2000     // characters
	noRights      = "42501"  // of PostgreSQL, for what a policy forbids as well
)

// A reflection is how somebody felt about a lesson.
type reflection struct {
	ID      int64     `json:"id"`
	Room    string    `json:"room"`
	Student string    `json:"student_id"`
	Name    string    `json:"name,omitempty"`
	Mood    int16     `json:"mood"` // 1 to 5
	Text    string    `json:"text"`
	Created time.Time `json:"created_at"`
}

func (r *reflection) scan(scan func(...any) error) error {
	return scan(&r.ID, &r.Room, &r.Student, &r.Name, &r.Mood, &r.Text, &r.Created)
}

// routes are those of reflections: there need not be another way to the database.
func routes() []tutti.ExtensionRoute {
	const path = "/rooms/{room}/reflections"
	return []tutti.ExtensionRoute{
		{Method: http.MethodPost, Path: path, Serve: addReflection},
		{Method: http.MethodGet, Path: path, Serve: reflections},
	}
}

// addReflection writes a reflection of who asks.
func addReflection(w http.ResponseWriter, r *http.Request, asked *tutti.ExtensionRequest) {
	if !mayAsk(w, asked) {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReflection))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "the request is too large")
		return
	}
	f := readFields(body)
	f.need("mood")
	mood, text, name := f.whole("mood", 1, 5, 0), f.text("text", longestText), f.text("name", longestDisplay)
	if err := f.err(); err != nil {
		fail(w, http.StatusUnprocessableEntity, refusal(err).Reason)
		return
	}
	var written reflection
	err = asked.Database.As(r.Context(), &asked.Claims, func(tx tutti.Tx) error {
		return tx.Query(r.Context(), insertReflection, written.scan, clean(r.PathValue("room")), clean(name), wholeText(mood), clean(text))
	})
	switch {
	case err == nil:
		answerJSON(w, http.StatusCreated, written)
	case stateIs(err, noRights):
		fail(w, http.StatusForbidden, "only who was in the room may say how it was")
	default:
		failed(w, err)
	}
}

// reflections returns the latest that who asks may see.
func reflections(w http.ResponseWriter, r *http.Request, asked *tutti.ExtensionRequest) {
	if !mayAsk(w, asked) {
		return
	}
	all := []reflection{}
	err := asked.Database.As(r.Context(), &asked.Claims, func(tx tutti.Tx) error {
		return tx.Query(r.Context(), selectReflections, func(scan func(...any) error) error {
			var one reflection
			err := one.scan(scan)
			all = append(all, one)
			return err
		}, clean(r.PathValue("room")))
	})
	if err != nil {
		failed(w, err)
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"reflections": all})
}

// mayAsk reports whether there is somebody who asks, and a database to ask.
func mayAsk(w http.ResponseWriter, asked *tutti.ExtensionRequest) bool {
	switch {
	case asked.Database == nil:
		fail(w, http.StatusNotFound, "the project has no database, so nothing is kept")
	case asked.Claims.Subject == "":
		fail(w, http.StatusForbidden, `the token must say who you are: it has no claim "sub"`)
	default:
		return true
	}
	return false
}

// failed answers for an error that is ours.
func failed(w http.ResponseWriter, err error) {
	if known, ok := errors.AsType[*tutti.Error](err); ok {
		fail(w, http.StatusServiceUnavailable, known.Error())
		return
	}
	fail(w, http.StatusServiceUnavailable, "the database did not answer as it should, please try again")
}

func fail(w http.ResponseWriter, status int, why string) {
	answerJSON(w, status, map[string]string{"message": why})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // who asked may be gone
}

package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/tutti-realtime/tutti/internal/gate"
)

// A Refusal is an error that the caller of the HTTP interface sees, as
// {"message": Message}. Those of Policies are listed in protocol §5.4.
type Refusal struct {
	Status  int // of HTTP
	Message string
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// A bare error is an HTTP status without an explanation. Its text is HTML or
// JSON, whichever the client prefers.
type bare int

func (b bare) Error() string { return http.StatusText(int(b)) }

// faults says what is wrong with the fields of a request: field to texts.
// The answer is 422 {"errors": faults}.
type faults map[string]any

func (faults) Error() string { return "the request has faults" }

// add notes a fault of a field.
func (f faults) add(field, text string) { f[field] = []string{text} }

// The faults that a field can have.
const (
	blank       = "can't be blank"
	notValid    = "is invalid"
	tooLong     = "is too long"
	payloadSize = "Payload size exceeds tenant limit"
)

// errMedia says that a body is neither JSON nor bytes.
var errMedia = errors.New("unsupported media type")

const mediaHint = "Unsupported Media Type. Use application/json or application/octet-stream"

// fail answers a request that did not succeed. What is the server's own fault
// ends here: it is logged.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *Refusal
	var status bare
	var wrong faults
	var shut *gate.Refusal
	switch {
	case errors.As(err, &shut):
		retryAfter(w.Header(), shut)
		refused(w, shut)
	case errors.As(err, &refusal):
		if refusal.Status >= http.StatusInternalServerError && refusal != errCannot {
			a.logFailure(r, refusal.Status, err)
		}
		if refusal == errOverloaded {
			w.Header().Set("Retry-After", "1") // second
		}
		answer(w, refusal.Status, message(refusal.Message))
	case errors.As(err, &status):
		answerBare(w, r, int(status))
	case errors.As(err, &wrong):
		answer(w, http.StatusUnprocessableEntity, map[string]any{"errors": wrong})
	case errors.Is(err, errMedia):
		answer(w, http.StatusUnsupportedMediaType, map[string]string{"error": mediaHint})
	default:
		a.logFailure(r, http.StatusInternalServerError, err)
		answer(w, http.StatusInternalServerError, message(http.StatusText(http.StatusInternalServerError)))
	}
}

// logFailure logs an answer of 500 and above, unless it failed because the
// client left. An overloaded server is not broken.
func (a *API) logFailure(r *http.Request, status int, err error) {
	if r.Context().Err() != nil {
		return
	}
	level := slog.LevelError
	if status == http.StatusServiceUnavailable {
		level = slog.LevelWarn
	}
	a.Log.Log(r.Context(), level, "request failed", "host", r.Host, "code", "UnknownErrorOnController", "status", status, "err", err)
}

func message(text string) any { return map[string]string{"message": text} }

// answer writes a status and a value that has a JSON form.
func answer(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // all values are maps, slices, structs and strings of this package
	}
	write(w, status, "application/json; charset=utf-8", text)
}

// answerBare writes the text of a status as the client prefers it.
func answerBare(w http.ResponseWriter, r *http.Request, status int) {
	text := http.StatusText(status)
	if chosen, _ := negotiate(r.Header, "text/html", "application/json"); chosen == "application/json" {
		answer(w, status, text)
		return
	}
	write(w, status, "text/html; charset=utf-8", []byte(text))
}

func write(w http.ResponseWriter, status int, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	if len(w.Header()["Content-Security-Policy"]) == 0 { // a page has set its own
		gate.Data(w.Header())
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the client is gone
}

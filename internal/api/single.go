package api

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
)

// maxField is the longest topic or event in bytes that fits the binary frame in
// which a single message travels.
const maxField = 255

// single sends the body of a request as one message, whose topic and event are
// in its path. Each is one segment, in which "%2F" is a slash like any other
// character; only a segment that is nothing else is not found, because the mux
// takes it for the end of the path.
func (a *API) single(r *http.Request, h http.Header) error {
	if a.full() {
		return errOverloaded
	}
	body, mediaType, err := readBody(r)
	if err != nil {
		return err
	}
	m, err := newSingle(r)
	if err != nil {
		return err
	}
	if _, ok := negotiate(r.Header, mediaJSON, mediaBytes); !ok {
		return bare(http.StatusNotAcceptable)
	}
	switch mediaType {
	case mediaJSON, "":
		m.Form, m.Payload = tutti.JSON, asObject(body)
	case mediaBytes:
		m.Form, m.Payload = tutti.Binary, body
	default:
		return errMedia
	}
	c, err := a.admit(r, h)
	if err != nil {
		return err
	}
	m.Topic.Tenant = c.tenant.ExternalID
	wrong := singleFaults(c.tenant, &m, body)
	if why := a.Door.Forged(c.tenant, m.Topic, m.Event, broadcast.FromHTTP); why != nil {
		wrong.add("event", why.Error())
	}
	if len(wrong) > 0 {
		return wrong
	}
	if c.meters.Events.Over(c.tenant.MaxEventsPerSecond) {
		return errEvents
	}
	r, span := spanned(r, "broadcast")
	defer span.End()
	span.Tenant(c.tenant.ExternalID)
	span.Count("messages", 1)
	if m.Topic.Private {
		if err := a.authorize(r, m.Topic, c.token); err != nil {
			return unauthorized(err)
		}
	}
	a.Door.Release(c.meters, 0, m)
	return nil
}

// newSingle reads what the URL says of a message. A query that cannot be read
// is refused: it may have meant to say that the message is private.
func newSingle(r *http.Request) (m tutti.Message, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return m, bare(http.StatusBadRequest)
	}
	m.Topic.Name, m.Event = r.PathValue("topic"), r.PathValue("event")
	if !utf8.ValidString(m.Topic.Name) || !utf8.ValidString(m.Event) {
		return m, bare(http.StatusBadRequest)
	}
	if said := query["private"]; len(said) > 0 {
		m.Topic.Private = said[len(said)-1] == "true"
	}
	return m, nil
}

// asObject returns a body that is valid JSON, or empty, as a payload, which must
// be an object.
func asObject(body []byte) []byte {
	if len(body) == 0 {
		return []byte(`{}`)
	}
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte(`{`)) {
		return body
	}
	p := make([]byte, 0, len(body)+len(`{"_json":}`))
	p = append(append(p, `{"_json":`...), body...)
	return append(p, '}')
}

// singleFaults returns what is wrong with a message whose payload came as body.
func singleFaults(t *tutti.Tenant, m *tutti.Message, body []byte) faults {
	wrong := faults{}
	switch {
	case strings.TrimSpace(m.Topic.Name) == "":
		wrong.add("topic", blank)
	case len(m.Topic.Wire()) > maxField:
		wrong.add("topic", tooLong)
	}
	switch {
	case strings.TrimSpace(m.Event) == "":
		wrong.add("event", blank)
	case len(m.Event) > maxField:
		wrong.add("event", tooLong)
	}
	if broadcast.Fits(t, body) != nil {
		wrong.add("payload", payloadSize)
	}
	return wrong
}

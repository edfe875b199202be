package api

import (
	"net/http"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// An entry is one message of a batch. Event, payload and id are raw JSON, parts
// of the request's body.
type entry struct {
	topic   string // without "realtime:"
	event   []byte
	payload []byte
	id      []byte // nil when there is none
	private bool
}

// batch sends the messages of a request: all of them, or none if one is at
// fault. Private ones that the caller may not send are left out.
func (a *API) batch(r *http.Request, h http.Header) error {
	if a.full() {
		return errOverloaded
	}
	body, mediaType, err := readBody(r)
	if err != nil {
		return err
	}
	if _, ok := negotiate(r.Header, mediaJSON); !ok {
		return bare(http.StatusNotAcceptable)
	}
	if !isJSON(mediaType) {
		body = nil
	}
	c, err := a.admit(r, h)
	if err != nil {
		return err
	}
	entries, err := a.parseBatch(c.tenant, body)
	if err != nil {
		return err
	}
	if err := c.mayBroadcast(len(entries)); err != nil {
		return err
	}
	r, span := spanned(r, "broadcast")
	defer span.End()
	span.Tenant(c.tenant.ExternalID)
	span.Count("messages", len(entries))
	for _, e := range entries {
		if !e.private {
			a.Door.Release(c.meters, 0, e.message(c.tenant))
		}
	}
	a.batchPrivate(r, c, entries)
	return nil
}

// batchPrivate sends the private messages of a batch, grouped by topic.
func (a *API) batchPrivate(r *http.Request, c *caller, entries []entry) {
	var order []string
	byTopic := make(map[string][]entry)
	for _, e := range entries {
		if !e.private {
			continue
		}
		if byTopic[e.topic] == nil {
			order = append(order, e.topic)
		}
		byTopic[e.topic] = append(byTopic[e.topic], e)
	}
	for _, name := range order {
		topic := tutti.Topic{Tenant: c.tenant.ExternalID, Name: name, Private: true}
		if err := a.authorize(r, topic, c.token); err != nil {
			a.drop(r.Context(), topic, err)
			continue
		}
		for _, e := range byTopic[name] {
			a.Door.Release(c.meters, 0, e.message(c.tenant))
		}
	}
}

// message returns an entry as it travels: what every client gets as the payload
// of the event "broadcast". The parts that are the caller's stay as they came.
func (e entry) message(t *tutti.Tenant) tutti.Message {
	const most = len(`{"payload":,"event":,"type":"broadcast","meta":{"id":}}`)
	p := make([]byte, 0, most+len(e.payload)+len(e.event)+len(e.id))
	p = append(append(p, `{"payload":`...), e.payload...)
	p = append(append(p, `,"event":`...), e.event...)
	p = append(p, `,"type":"broadcast"`...)
	if e.id != nil {
		p = append(append(p, `,"meta":{"id":`...), e.id...)
		p = append(p, '}')
	}
	return tutti.Message{
		Topic:   tutti.Topic{Tenant: t.ExternalID, Name: e.topic, Private: e.private},
		Form:    tutti.Object,
		Event:   phoenix.EventBroadcast,
		Payload: append(p, '}'),
	}
}

// parseBatch reads the valid JSON {"messages":[...]}. If anything is wrong the
// error is faults with a slot for each message, but a batch that is longer than
// the tenant could ever send is not looked into: one fault takes a hundred bytes
// to report, and a body has room for millions of messages.
func (a *API) parseBatch(t *tutti.Tenant, body []byte) ([]entry, error) {
	list, _ := phoenix.Lookup(body, "messages")
	if absent(list) {
		return nil, faults{"messages": []string{blank}}
	}
	if list[0] != '[' {
		return nil, faults{"messages": []string{notValid}}
	}
	count := 0
	for element := range phoenix.Elements(list) {
		if element[0] != '{' {
			return nil, faults{"messages": []string{notValid}}
		}
		count++
	}
	switch {
	case count == 0:
		return nil, faults{"messages": []string{blank}}
	case count > t.MaxEventsPerSecond:
		return nil, errBatchTooLong
	}
	entries := make([]entry, 0, count)
	slots := make([]faults, 0, count)
	faulty := false
	for element := range phoenix.Elements(list) {
		e, wrong := parseEntry(t, element)
		a.judge(t, &e, wrong)
		entries, slots = append(entries, e), append(slots, wrong)
		faulty = faulty || len(wrong) > 0
	}
	if faulty {
		return nil, faults{"messages": slots}
	}
	return entries, nil
}

// judge notes a fault of an event that only a room may send.
func (a *API) judge(t *tutti.Tenant, e *entry, wrong faults) {
	event, ok := phoenix.Unquote(e.event)
	topic := tutti.Topic{Tenant: t.ExternalID, Name: e.topic, Private: e.private}
	if !ok {
		return
	}
	if why := a.Door.Forged(t, topic, event, broadcast.FromHTTP); why != nil {
		wrong.add("event", why.Error())
	}
}

// parseEntry reads one message. The faults are empty, not nil, if there are none.
func parseEntry(t *tutti.Tenant, object []byte) (e entry, wrong faults) {
	wrong = faults{}
	var topic, private []byte
	for key, value := range phoenix.Members(object) {
		switch key {
		case "topic":
			topic = value
		case "event":
			e.event = value
		case "payload":
			e.payload = value
		case "private":
			private = value
		case "id":
			e.id = value
		}
	}
	var fault string
	if e.topic, fault = text(topic); fault != "" {
		wrong.add("topic", fault)
	}
	if _, fault = text(e.event); fault != "" {
		wrong.add("event", fault)
	}
	if fault = payloadFault(t, e.payload); fault != "" {
		wrong.add("payload", fault)
	}
	var ok bool
	if e.private, ok = boolean(private); !ok {
		wrong.add("private", notValid)
	}
	switch _, fault = text(e.id); fault {
	case blank:
		e.id = nil
	case notValid:
		wrong.add("id", notValid)
	}
	return e, wrong
}

func payloadFault(t *tutti.Tenant, raw []byte) string {
	switch {
	case absent(raw):
		return blank
	case raw[0] != '{':
		return notValid
	case broadcast.Fits(t, raw) != nil:
		return payloadSize
	}
	return ""
}

// absent reports whether a raw value is not there, or null.
func absent(raw []byte) bool { return raw == nil || string(raw) == "null" }

// text returns the string that a raw value is, and what is wrong with it.
func text(raw []byte) (s, fault string) {
	if absent(raw) {
		return "", blank
	}
	s, ok := phoenix.Unquote(raw)
	switch {
	case !ok:
		return "", notValid
	case strings.TrimSpace(s) == "":
		return "", blank
	}
	return s, ""
}

// boolean reads a raw value that is false when absent. The words are those that
// the reference takes: a "true" that counted for nothing would make a private
// message public.
func boolean(raw []byte) (value, ok bool) {
	switch string(raw) {
	case `true`, `"true"`, `"1"`:
		return true, true
	case ``, `null`, `false`, `"false"`, `"0"`, `""`:
		return false, true
	}
	return false, false
}

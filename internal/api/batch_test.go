package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/broadcast"
)

func TestFaultsOfABatch(t *testing.T) {
	t.Parallel()
	list := func(messages string) string { return `{"messages":[` + messages + `]}` }
	for name, tt := range map[string]struct {
		body string
		want string // the value of "messages" in the errors
	}{
		"an empty body":              {``, `["can't be blank"]`},
		"an array":                   {`[]`, `["can't be blank"]`},
		"no messages":                {`{}`, `["can't be blank"]`},
		"null":                       {`{"messages":null}`, `["can't be blank"]`},
		"an empty list":              {`{"messages":[ ]}`, `["can't be blank"]`},
		"an object":                  {`{"messages":{}}`, `["is invalid"]`},
		"a text":                     {`{"messages":"x"}`, `["is invalid"]`},
		"a list of no objects":       {list(`{},1`), `["is invalid"]`},
		"nothing in it":              {list(`{}`), `[{"topic":["can't be blank"],"event":["can't be blank"],"payload":["can't be blank"]}]`},
		"all blank":                  {list(`{"topic":"","event":" \t","payload":null}`), `[{"topic":["can't be blank"],"event":["can't be blank"],"payload":["can't be blank"]}]`},
		"all of another type":        {list(`{"topic":1,"event":{},"payload":[],"private":2,"id":3}`), `[{"topic":["is invalid"],"event":["is invalid"],"payload":["is invalid"],"private":["is invalid"],"id":["is invalid"]}]`},
		"a payload that is a string": {list(`{"topic":"t","event":"e","payload":"x"}`), `[{"payload":["is invalid"]}]`},
		"one good, one not":          {list(`{"topic":"t"},{"topic":"t","event":"e","payload":{}}`), `[{"event":["can't be blank"],"payload":["can't be blank"]},{}]`},
		"one too large":              {list(`{"topic":"t","event":"e","payload":{}},{"topic":"t","event":"e","payload":` + payload(1501) + `}`), `[{},{"payload":["Payload size exceeds tenant limit"]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(nil)
			w := n.do(t, call{body: tt.body})
			if want := `{"errors":{"messages":` + tt.want + `}}`; w.Code != 422 || !same(t, w.Body.String(), want) {
				t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
			}
			if len(n.sent) > 0 {
				t.Errorf("%d messages went out", len(n.sent))
			}
		})
	}
}

func TestABatchThatSaysItIsNoJSONIsEmpty(t *testing.T) {
	t.Parallel()
	for _, mediaType := range []string{"", "text/plain", "application/x-www-form-urlencoded", mediaBytes} {
		w := newNode(nil).do(t, call{body: good, headers: map[string]string{"Content-Type": mediaType}})
		if w.Code != 422 {
			t.Errorf("%q: got %d %s", mediaType, w.Code, w.Body)
		}
	}
}

func TestMessagesOfABatch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		message string
		want    string
	}{
		"the payload passes as it came":   {`{"topic":"t","event":"e","payload":{"a" : 1.50,"a":"\u00e9"}}`, `{"payload":{"a" : 1.50,"a":"\u00e9"},"event":"e","type":"broadcast"}`},
		"an id becomes meta":              {`{"topic":"t","event":"e","payload":{},"id":"7"}`, `{"payload":{},"event":"e","type":"broadcast","meta":{"id":"7"}}`},
		"a blank id is none":              {`{"topic":"t","event":"e","payload":{},"id":" "}`, `{"payload":{},"event":"e","type":"broadcast"}`},
		"a null id is none":               {`{"topic":"t","event":"e","payload":{},"id":null}`, `{"payload":{},"event":"e","type":"broadcast"}`},
		"the last of two keys counts":     {`{"topic":"x","event":"x","payload":{"x":1},"topic":"t","event":"e","payload":{}}`, `{"payload":{},"event":"e","type":"broadcast"}`},
		"a payload of the very limit":     {`{"topic":"t","event":"e","payload":` + payload(1500) + `}`, `{"payload":` + payload(1500) + `,"event":"e","type":"broadcast"}`},
		"an event with quotes in it":      {`{"topic":"t","event":"\"e\"","payload":{}}`, `{"payload":{},"event":"\"e\"","type":"broadcast"}`},
		"a topic with an escape":          {`{"topic":"\u0074","event":"e","payload":{}}`, `{"payload":{},"event":"e","type":"broadcast"}`},
		"a private that is the text no":   {`{"topic":"t","event":"e","payload":{},"private":"false"}`, `{"payload":{},"event":"e","type":"broadcast"}`},
		"private null is public":          {`{"topic":"t","event":"e","payload":{},"private":null}`, `{"payload":{},"event":"e","type":"broadcast"}`},
		"what nobody knows is overlooked": {`{"topic":"t","event":"e","payload":{},"extra":[1]}`, `{"payload":{},"event":"e","type":"broadcast"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(nil)
			if w := n.do(t, call{body: `{"messages":[` + tt.message + `]}`}); w.Code != 202 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			m := n.sent[0]
			if string(m.Payload) != tt.want || m.Form != tutti.Object || m.Event != "broadcast" || m.Meta != nil {
				t.Errorf("sent %+v with %s, want %s", m, m.Payload, tt.want)
			}
			if want := (tutti.Topic{Tenant: "acme", Name: "t"}); m.Topic != want {
				t.Errorf("sent to %v, want %v", m.Topic, want)
			}
		})
	}
}

// somePolicies lets write to the topics that start with "my-", and has no
// answer for "broken".
type somePolicies struct{ asked []string }

func (p *somePolicies) Authorize(_ context.Context, t tutti.Topic, token *auth.Token, h http.Header) error {
	if token.Claims.Role != "anon" || h.Get("Content-Type") == "" || !t.Private || t.Tenant != "acme" {
		return errors.New("asked with less than there is")
	}
	p.asked = append(p.asked, t.Name)
	switch {
	case t.Name == "broken":
		return errors.New("connection reset")
	case t.Name == "policy":
		return fmt.Errorf("ask: %w", &Refusal{http.StatusUnprocessableEntity, "RLS policy error"})
	case !strings.HasPrefix(t.Name, "my-"):
		return errUnauthorized
	}
	return nil
}

func TestPrivateMessagesOfABatch(t *testing.T) {
	t.Parallel()
	policies := &somePolicies{}
	n := newNode(func(a *API) { a.Policies = policies })
	var messages []string
	for i, to := range []string{"my-a", "x", "my-b", "+open", "my-a", "broken", "x", "policy"} {
		name, public := strings.CutPrefix(to, "+")
		messages = append(messages, fmt.Sprintf(`{"topic":%q,"event":"e%d","payload":{},"private":%t}`, name, i, !public))
	}
	if w := n.do(t, call{body: `{"messages":[` + strings.Join(messages, ",") + `]}`}); w.Code != 202 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	var sent []string
	for _, m := range n.sent {
		var p struct{ Event string }
		if err := json.Unmarshal(m.Payload, &p); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, m.Topic.String()+" "+p.Event)
	}
	want := []string{"acme/open e3", "acme-private/my-a e0", "acme-private/my-a e4", "acme-private/my-b e2"}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	if want := []string{"my-a", "x", "my-b", "broken", "policy"}; !slices.Equal(policies.asked, want) {
		t.Errorf("asked for %q, want each topic once, %q", policies.asked, want)
	}
	if got := n.Meters.Of("acme").Events.Total(); got != 4 {
		t.Errorf("counted %d events, want those that went out", got)
	}
	if lines := strings.Count(n.log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines in the log, want one for the broken policy:\n%s", lines, n.log.String())
	}
}

func TestWithoutPoliciesPrivateMessagesAreDropped(t *testing.T) {
	t.Parallel()
	for _, private := range []string{`true`, `"true"`, `"1"`} {
		n := newNode(nil)
		w := n.do(t, call{body: `{"messages":[{"topic":"t","event":"e","payload":{},"private":` + private + `}]}`})
		if w.Code != 202 || len(n.sent) > 0 {
			t.Errorf("private %s: got %d, %d messages went out", private, w.Code, len(n.sent))
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"messages":[{"topic":"\ud800","event":"e","payload":{},"private":true,"id":"x"},{}]}`))
	f.Add([]byte(`{"messages":[{"topic":1,"event":[],"payload":"","private":{},"id":0}]}`))
	f.Add([]byte(`{"messages":[[]],"messages":null}`))
	f.Add([]byte(`{"messages":[{`))
	f.Add([]byte(``))
	t := tenants()[0]
	f.Fuzz(func(test *testing.T, body []byte) {
		entries, err := (&API{Door: &broadcast.Door{}}).parseBatch(t, body)
		if err != nil {
			if _, merr := json.Marshal(err); merr != nil {
				test.Fatalf("cannot report %v: %v", err, merr)
			}
			return
		}
		if !json.Valid(body) {
			return // it is never asked then, but must not panic
		}
		if len(entries) == 0 || len(entries) > t.MaxEventsPerSecond {
			test.Fatalf("%d messages", len(entries))
		}
		for _, e := range entries {
			if m := e.message(t); !json.Valid(m.Payload) || strings.TrimSpace(m.Topic.Name) == "" {
				test.Fatalf("%q went out as %q", body, m.Payload)
			}
		}
	})
}

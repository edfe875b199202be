package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// someChecks is a database that answers as the topic says.
type someChecks struct{ asked []string }

func (s *someChecks) CheckWrite(_ context.Context, t *tutti.Tenant, topic string, claims tutti.Claims, headers []byte) (bool, error) {
	var seen map[string]string
	if err := json.Unmarshal(headers, &seen); err != nil || seen["x-room"] != "blue" || t.ExternalID != "acme" || claims.Role != "anon" {
		return false, fmt.Errorf("asked with less than there is: %s", headers)
	}
	s.asked = append(s.asked, topic)
	code := topic
	switch topic {
	case "mine":
		return true, nil
	case "theirs":
		return false, nil
	case "broken":
		return false, errors.New("connection reset")
	case tutti.RlsPolicyError:
		code = tutti.Unauthorized
	case "nobase":
		return false, &tutti.Error{Code: tutti.Unauthorized, Reason: "no database"}
	}
	shown := &tutti.Error{Code: code, Reason: "to be hidden"}
	return false, fmt.Errorf("ask: %w", &postgres.Refusal{Client: shown, Code: topic, Err: errors.New("a detail")})
}

var databaseAnswers = map[string]struct {
	topic  string
	status int
	text   string
}{
	"allowed":                  {"mine", 202, ""},
	"denied":                   {"theirs", 403, "Unauthorized"},
	"no database":              {"nobase", 403, "Unauthorized"},
	"a policy that raises":     {tutti.RlsPolicyError, 422, "RLS policy error"},
	"a canceled query":         {tutti.QueryCanceled, 422, "Query canceled"},
	"no partition":             {tutti.MissingPartition, 422, "Missing messages partition"},
	"a database that is away":  {tutti.UnableToConnectToProject, 422, "Tenant database unavailable"},
	"a database that is new":   {"InitializingProjectConnection", 422, "Tenant database initializing"},
	"a database of no use":     {"DatabaseNotPrepared", 422, "Tenant database unavailable"},
	"a database that is full":  {tutti.DatabaseLackOfConnections, 422, "Tenant database has too many connections"},
	"a pool that is exhausted": {tutti.IncreaseConnectionPool, 429, "Connection pool exhausted"},
	"anything else":            {"broken", 500, "Unable to authorize broadcast"},
}

func newCheckedNode(checks *someChecks) *node {
	return newNode(func(a *API) {
		a.Policies = &DatabasePolicies{Tenants: a.Tenants, Check: checks}
	})
}

func TestWhatADatabaseSaysOfASingle(t *testing.T) {
	t.Parallel()
	for name, tt := range databaseAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newCheckedNode(&someChecks{})
			w := n.do(t, call{path: "/api/broadcast/" + tt.topic + "/events/e?private=true", headers: map[string]string{"X-Room": "blue"}})
			want := ""
			if tt.text != "" {
				want = `{"message":"` + tt.text + `"}`
			}
			if w.Code != tt.status || w.Body.String() != want {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, want)
			}
			if sent := tt.status == 202; sent != (len(n.sent) == 1) || sent != (n.Meters.Of("acme").Events.Total() == 1) {
				t.Errorf("%d messages went out", len(n.sent))
			}
			if lines := strings.Count(n.log.String(), "\n"); (tt.status == 500) != (lines == 1) {
				t.Errorf("%d lines in the log:\n%s", lines, n.log.String())
			}
		})
	}
}

func TestABatchIsAcceptedWhateverADatabaseSays(t *testing.T) {
	t.Parallel()
	for name, tt := range databaseAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checks := &someChecks{}
			n := newCheckedNode(checks)
			one := fmt.Sprintf(`{"topic":%q,"event":"e","payload":{},"private":true}`, tt.topic)
			w := n.do(t, call{body: `{"messages":[` + one + `,` + one + `]}`, headers: map[string]string{"X-Room": "blue"}})
			if w.Code != http.StatusAccepted || w.Body.Len() > 0 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			want := 0
			if tt.status == 202 {
				want = 2
			}
			if len(n.sent) != want || int(n.Meters.Of("acme").Events.Total()) != want {
				t.Errorf("%d messages went out, want %d", len(n.sent), want)
			}
			if len(checks.asked) != 1 {
				t.Errorf("the database was asked for %q, want one question", checks.asked)
			}
			if lines := strings.Count(n.log.String(), "\n"); (tt.status == 500) != (lines == 1) {
				t.Errorf("%d lines in the log:\n%s", lines, n.log.String())
			}
		})
	}
}

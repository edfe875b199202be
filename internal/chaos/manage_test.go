//go:build linux

package chaos

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

const tenantPath = "/api/tenants/realtime-dev"

// manage asks a node's management API, and fails when the answer is no success.
func (s *stage) manage(at place, method, path string, payload any) []byte {
	s.Helper()
	code, body, err := s.nodes[at].request(s.Context(), method, path, token(s.T, "service_role", ""), payload)
	if err != nil || code < 200 || code > 299 {
		s.Fatalf("%s %s on node %v: %d %s %v", method, path, at, code, body, err)
	}
	return body
}

// users returns how many users the tenant has in the whole cluster, as a node
// says.
func (s *stage) users(at place) int {
	s.Helper()
	var answer struct {
		Data struct {
			Connected int `json:"connected_cluster"`
		}
	}
	if err := json.Unmarshal(s.manage(at, http.MethodGet, tenantPath+"/health", nil), &answer); err != nil {
		s.Fatal(err)
	}
	return answer.Data.Connected
}

// The limit of users is that of all nodes together.
func TestUsersAreCountedInTheWholeCluster(t *testing.T) {
	t.Parallel()
	const most = 4
	s := newStage(t, plan{env: []string{"TENANT_MAX_CONCURRENT_USERS=4"}})
	all := s.invite(most/2, wish{presence: true}, a, b)
	since := time.Now()
	for _, p := range trio {
		s.await("every node knows of all users", patience, func() bool { return s.users(p) == most })
	}
	t.Logf("users known everywhere after %v", time.Since(since).Round(time.Millisecond))
	late := &guest{stage: s, name: "one too many", sub: stranger, token: token(t, "authenticated", stranger), wish: wish{presence: true}}
	for _, p := range trio {
		if err := late.come(t.Context(), p); err == nil {
			t.Errorf("user %d was let in by node %v", most+1, p)
			late.session().end()
			s.await("the user is gone", patience, func() bool { return s.users(p) == most })
		} else {
			t.Logf("node %v: %v", p, err)
		}
	}
	since = time.Now()
	all[0].session().end()
	s.await("there is room for one again", patience, func() bool { return late.come(t.Context(), c) == nil })
	t.Logf("a place on node a is free on node c after %v", time.Since(since).Round(time.Millisecond))
	// The users of a node that is lost are none.
	homeless := on(all, b)
	since = time.Now()
	s.nodes[b].kill(t)
	s.await("users of a lost node count no more", soon, func() bool { return s.users(a) == most-len(homeless) })
	t.Logf("users of a lost node are forgotten after %v", time.Since(since).Round(time.Millisecond))
}

func TestDisconnectReachesTheOtherNodes(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	all := s.invite(1, wish{presence: true}, a, b, c)
	twin := &guest{stage: s, name: "twin", sub: all[1].sub, token: all[1].token, wish: wish{presence: true}}
	if err := twin.come(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	said := s.manage(a, http.MethodPost, tenantPath+"/disconnect", map[string]any{"sub": all[1].sub})
	for _, g := range []*guest{all[1], twin} {
		s.await("the user is disconnected from the other nodes", patience, func() bool { return !g.session().live() })
		t.Logf("%s on node %v: %s, %v after the request", g.name, g.session().node, g.session().story(), g.session().ended.Sub(since).Round(time.Millisecond))
	}
	s.agree([]*guest{all[0], all[2]}, patience)
	var answer struct{ Data struct{ Disconnected int } }
	if err := json.Unmarshal(said, &answer); err != nil || answer.Data.Disconnected != 2 {
		t.Errorf("2 clients of other nodes were disconnected, and the answer is %s", said)
	}
}

func TestTenantChangesReachTheOtherNodes(t *testing.T) {
	t.Parallel()
	needPostgreSQL(t)
	s := newStage(t, plan{})
	all := s.invite(1, wish{presence: true}, a, b, c)
	since := time.Now()
	s.manage(a, http.MethodPatch, tenantPath, map[string]any{"tenant": map[string]any{"private_only": true}})
	for _, g := range all {
		s.await("clients of a tenant that is private now are gone", patience, func() bool { return !g.session().live() })
		t.Logf("node %v: %v after the change", g.session().node, g.session().ended.Sub(since).Round(time.Millisecond))
	}
	for _, p := range trio {
		if err := all[0].come(t.Context(), p); err == nil {
			t.Errorf("node %v lets clients into public channels of a tenant that is private only", p)
		}
	}
	s.manage(b, http.MethodPatch, tenantPath, map[string]any{"tenant": map[string]any{"private_only": false}})
	for i, g := range all {
		s.await("clients are let in again", patience, func() bool { return g.come(t.Context(), trio[i]) == nil })
	}
	s.agree(all, patience)
}

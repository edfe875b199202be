package admin

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

func TestBadInputIsRefusedAndSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	long := strings.Repeat("x", longestTopic+1)
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		code, field        string
	}{
		"a sort that there is not":         {"GET", "/tenants?sort=name", "", 422, "InvalidFields", "sort"},
		"a limit that is no number":        {"GET", "/tenants?limit=many", "", 422, "InvalidFields", "limit"},
		"a limit that is too large":        {"GET", "/tenants?limit=100000", "", 422, "InvalidFields", "limit"},
		"an offset below 0":                {"GET", "/tenants?offset=-1", "", 422, "InvalidFields", "offset"},
		"a search that is no text":         {"GET", "/tenants?search=%ff", "", 422, "InvalidFields", "search"},
		"a tenant that is not there":       {"GET", "/tenants/nobody", "", 404, "TenantNotFound", ""},
		"a tenant that cannot be":          {"GET", "/tenants/%00", "", 404, "TenantNotFound", ""},
		"the doctor without a tenant":      {"GET", "/doctor", "", 404, "TenantNotFound", ""},
		"live of a tenant that is not":     {"GET", "/live?tenant=nobody", "", 404, "TenantNotFound", ""},
		"live of a tenant without name":    {"GET", "/live?tenant=", "", 404, "TenantNotFound", ""},
		"topics, too many":                 {"GET", "/tenants/acme/topics?limit=100000", "", 422, "InvalidFields", "limit"},
		"a topic that may be private":      {"GET", "/tenants/acme/topics/t?private=maybe", "", 422, "InvalidFields", "private"},
		"a topic that is no text":          {"GET", "/tenants/acme/topics/%ff", "", 422, "InvalidFields", "topic"},
		"a topic that is too long":         {"GET", "/tenants/acme/topics/" + long + "/live", "", 422, "InvalidFields", "topic"},
		"a look into nobody's topic":       {"GET", "/tenants/nobody/topics/t/live", "", 404, "TenantNotFound", ""},
		"kick with a misspelt name":        {"POST", "/tenants/acme/kick", `{"usr":"ann"}`, 422, "InvalidFields", "usr"},
		"kick from no topic":               {"POST", "/tenants/acme/kick", `{"private":true}`, 422, "InvalidFields", "topic"},
		"kick of a member without topic":   {"POST", "/tenants/acme/kick", `{"ref":"n1/1"}`, 422, "InvalidFields", "topic"},
		"kick of what is no member":        {"POST", "/tenants/acme/kick", `{"ref":"n1/x","topic":"t"}`, 422, "InvalidFields", "ref"},
		"kick of a member and a user":      {"POST", "/tenants/acme/kick", `{"ref":"n1/1","topic":"t","user":"a"}`, 422, "InvalidFields", "ref"},
		"kick of a member of no node":      {"POST", "/tenants/acme/kick", `{"ref":"gone/1","topic":"t"}`, 504, "ClusterNodesSilent", ""},
		"kick of a number":                 {"POST", "/tenants/acme/kick", `{"user":5}`, 422, "InvalidFields", "user"},
		"kick, half a body":                {"POST", "/tenants/acme/kick", `{"user":`, 400, "MalformedBody", ""},
		"kick, two bodies":                 {"POST", "/tenants/acme/kick", `{} {}`, 400, "MalformedBody", ""},
		"kick, a list":                     {"POST", "/tenants/acme/kick", `[]`, 400, "MalformedBody", ""},
		"kick, far too much":               {"POST", "/tenants/acme/kick", `{"user":"` + strings.Repeat("x", longestBody) + `"}`, 413, "BodyTooLarge", ""},
		"reload with something to say":     {"POST", "/tenants/acme/reload", `{"now":true}`, 422, "InvalidFields", "now"},
		"a token for no role":              {"POST", "/tenants/acme/token", `{}`, 422, "InvalidFields", "role"},
		"a token that is over":             {"POST", "/tenants/acme/token", `{"role":"anon","expires_in":0}`, 422, "InvalidFields", "expires_in"},
		"a token for ever":                 {"POST", "/tenants/acme/token", `{"role":"anon","expires_in":9000000000}`, 422, "InvalidFields", "expires_in"},
		"a tenant without id":              {"POST", "/tenants", `{}`, 422, "InvalidFields", "external_id"},
		"a tenant that no host can name":   {"POST", "/tenants", `{"external_id":"a.b"}`, 422, "InvalidFields", "external_id"},
		"a tenant whose name is no text":   {"POST", "/tenants", `{"external_id":"b","name":"a\u0000"}`, 422, "InvalidFields", "name"},
		"a name that is no text":           {"PATCH", "/tenants/acme", `{"name":"a\u0000"}`, 422, "InvalidFields", "name"},
		"a tenant with a short secret":     {"POST", "/tenants", `{"external_id":"b","jwt_secret":"short"}`, 422, "InvalidFields", "jwt_secret"},
		"a tenant with half a database":    {"POST", "/tenants", `{"external_id":"b","postgres":{"host":"h"}}`, 422, "InvalidFields", "postgres.password"},
		"a tenant whose port is too high":  {"POST", "/tenants", `{"external_id":"b","postgres":{"host":"h","name":"n","user":"u","password":"p","port":70000}}`, 422, "InvalidFields", "postgres.port"},
		"a tenant with an unknown limit":   {"POST", "/tenants", `{"external_id":"b","limits":{"max_fun":1}}`, 422, "InvalidFields", "limits.max_fun"},
		"a tenant with a limit below 0":    {"POST", "/tenants", `{"external_id":"b","limits":{"max_concurrent_users":-1}}`, 422, "InvalidFields", "limits.max_concurrent_users"},
		"a tenant that is there":           {"POST", "/tenants", `{"external_id":"acme"}`, 409, "TenantExists", "external_id"},
		"a change to a limit that is none": {"PATCH", "/tenants/acme", `{"limits":{"max_joins_per_second":"few"}}`, 422, "InvalidFields", "limits.max_joins_per_second"},
		"a change of the secret":           {"PATCH", "/tenants/acme", `{"jwt_secret":"x"}`, 422, "InvalidFields", "jwt_secret"},
		"a deletion by mistake":            {"DELETE", "/tenants/acme", `{"confirm":"acne"}`, 422, "InvalidFields", "confirm"},
		"a deletion without a word":        {"DELETE", "/tenants/acme", ``, 422, "InvalidFields", "confirm"},
		"a deletion of nobody":             {"DELETE", "/tenants/nobody", `{"confirm":"nobody"}`, 404, "TenantNotFound", ""},
		"a path that there is not":         {"GET", "/secrets", "", 404, "NotFound", ""},
		"a method that there is not":       {"PUT", "/tenants/acme", "{}", 404, "NotFound", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			var f Fault
			s.expect(tt.method, tt.path, tt.body, tt.status, &f)
			if f.Code != tt.code || f.Message == "" || tt.field != "" && len(f.Fields[tt.field]) == 0 {
				t.Errorf("says %+v, want code %s and field %q", f, tt.code, tt.field)
			}
		})
	}
	if len(s.registry.all) != 1 || s.expelled.Subject != "" {
		t.Error("something that was refused was done")
	}
}

func TestATenantIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	var made createAnswer
	s.expect("POST", "/tenants", `{"external_id":"school","name":"A School","limits":{"max_events_per_second":7},
		"postgres":{"host":"db","port":6543,"name":"n","user":"u","password":"hidden-password","ssl":true}}`, 201, &made)
	stored := s.registry.all["school"]
	if stored == nil || stored.Name != "A School" || stored.MaxEventsPerSecond != 7 || stored.JWTSecret != made.Secret || len(made.Secret) != 64 {
		t.Fatalf("stored %+v, answered %+v", stored, made)
	}
	if db, has, err := tenant.Database(stored); !has || err != nil || db.Host != "db" || db.Port != 6543 || db.Password != "hidden-password" || !db.SSL {
		t.Errorf("its database is %+v %v %v", db, has, err)
	}
	verifier := &auth.Verifier{}
	for role, key := range map[string]string{"anon": made.Anon, "service_role": made.Service} {
		if token, err := verifier.Verify(stored, key, time.Now()); err != nil || token.Claims.Role != role {
			t.Errorf("the key of %s is not good: %v", role, err)
		}
	}
	if !strings.HasPrefix(made.URL, "http://school.localhost:") || !strings.Contains(made.Snippet, made.URL) || !strings.Contains(made.Snippet, placeholder) {
		t.Errorf("url %s, snippet %s", made.URL, made.Snippet)
	}

	var changed struct{ Tenant tenantView }
	s.expect("PATCH", "/tenants/school", `{"suspend":true,"name":"Old School","limits":{"max_joins_per_second":3}}`, 200, &changed)
	if v := changed.Tenant; !v.Suspended || v.Name != "Old School" || v.Limits["max_joins_per_second"] != 3.0 || v.Limits["max_events_per_second"] != 7.0 {
		t.Errorf("changed to %+v", v)
	}
	if got := s.registry.all["school"]; got.JWTSecret != made.Secret || len(got.Extensions) != 1 {
		t.Errorf("what was not given did not stay: %+v", got)
	}
	var done map[string]bool
	s.expect("DELETE", "/tenants/school", `{"confirm":"school"}`, 200, &done)
	if s.registry.all["school"] != nil {
		t.Error("it is still there")
	}
	log := s.log()
	for _, action := range []string{"action=create", "action=update", "action=delete"} {
		if !strings.Contains(log, action) {
			t.Errorf("%s is not logged", action)
		}
	}
	for _, hidden := range []string{made.Secret, made.Anon, "hidden-password"} {
		if strings.Contains(log, hidden) {
			t.Errorf("the log holds %s", hidden)
		}
	}
}

func TestNoAnswerHoldsASecret(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.registry.all["acme"].Extensions = []tutti.TenantExtension{{Type: tenant.DatabaseExtension, Settings: map[string]any{
		"db_host": "127.0.0.1", "db_port": "1", "db_name": "n", "db_user": "u", "db_password": "hidden-password",
	}}}
	for _, path := range []string{
		"/overview", "/tenants", "/tenants/acme", "/tenants/acme/health", "/tenants/acme/snippet", "/tenants/acme/topics", "/tenants/acme/topics/t", "/doctor?tenant=acme",
	} {
		var text any
		s.expect("GET", path, "", 200, &text)
		answer := s.ask("GET", path, "", nil)
		b := new(strings.Builder)
		_ = answer.Write(b)
		for _, hidden := range []string{"hidden-password", s.registry.all["acme"].JWTSecret, secret, "right"} {
			if strings.Contains(b.String(), hidden) {
				t.Errorf("%s tells %s", path, hidden)
			}
		}
	}
}

func TestTenantsOfAFileCannotBeChanged(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(c *Console) { c.Writable = false })
	for _, call := range []string{"POST /tenants", "PATCH /tenants/acme", "DELETE /tenants/acme"} {
		method, path, _ := strings.Cut(call, " ")
		var f Fault
		s.expect(method, path, `{"external_id":"b","confirm":"acme"}`, http.StatusNotImplemented, &f)
		if f.Code != "ReadOnlyTenants" {
			t.Errorf("%s says %s", call, f.Code)
		}
	}
	var o Overview
	s.expect("GET", "/overview", "", 200, &o)
	if o.Features.Control {
		t.Error("the page is told that tenants can be made")
	}
}

func TestAStoreThatGivesNoAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.registry.err = tutti.ErrUnavailable
	for _, path := range []string{"/tenants", "/tenants/acme", "/tenants/acme/topics/t/live"} {
		var f Fault
		s.expect("GET", path, "", http.StatusServiceUnavailable, &f)
		if f.Code != "TenantStoreUnavailable" {
			t.Errorf("%s says %s", path, f.Code)
		}
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	var kicked map[string]int
	s.expect("POST", "/tenants/acme/kick", `{"user":"ann","topic":"room","private":true}`, 200, &kicked)
	if who := s.expelled; kicked["disconnected"] != 3 || who.Subject != "ann" || who.Topic != "room" || who.Private == nil || !*who.Private {
		t.Errorf("%v was thrown out, answers %v", who, kicked)
	}
	var ok map[string]bool
	s.expect("POST", "/tenants/acme/reload", ``, 200, &ok)
	if !ok["ok"] || s.reloaded != "acme" {
		t.Errorf("reloaded %q", s.reloaded)
	}
	var made map[string]string
	s.expect("POST", "/tenants/acme/token", `{"role":"authenticated","sub":"ann","expires_in":60}`, 200, &made)
	token, err := (&auth.Verifier{}).Verify(s.registry.all["acme"], made["token"], time.Now())
	if err != nil || token.Claims.Subject != "ann" || token.Claims.Role != "authenticated" {
		t.Errorf("the token is not good: %v", err)
	}
	if strings.Contains(s.log(), made["token"]) || !strings.Contains(s.log(), "mint a token") {
		t.Errorf("logged %s", s.log())
	}
	s.registry.all["acme"].JWTSecret = ""
	var f Fault
	s.expect("POST", "/tenants/acme/token", `{"role":"anon"}`, http.StatusConflict, &f)
	if f.Code != "TenantHasNoSecret" {
		t.Errorf("says %s", f.Code)
	}
	var health struct{ Data Health }
	s.expect("GET", "/tenants/acme/health", "", 200, &health)
	if !health.Data.Healthy {
		t.Error("the health is not passed on")
	}
}

func TestTenantsAreSearchedSortedAndPaged(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	for _, id := range []string{"beta", "beetle", "gamma"} {
		s.registry.all[id] = s.Defaults.Tenant(id)
	}
	for range 3 {
		s.Meters.Of("gamma").EnterUser(10)
	}
	s.Meters.Of("beta").EnterUser(10)
	for query, want := range map[string]string{
		"":                        "4 gamma beta acme beetle",
		"?sort=id":                "4 acme beetle beta gamma",
		"?search=BE&sort=id":      "2 beetle beta",
		"?limit=2":                "4 gamma beta",
		"?limit=2&offset=2":       "4 acme beetle",
		"?offset=50":              "4",
		"?sort=lag":               "4 acme beetle beta gamma",
		"?sort=events&search=amm": "1 gamma",
	} {
		var list tenantsAnswer
		s.expect("GET", "/tenants"+query, "", 200, &list)
		got := string(rune('0' + list.Total))
		for _, v := range list.Tenants {
			got += " " + v.ID
		}
		if got != want {
			t.Errorf("%s finds %s, want %s", query, got, want)
		}
	}
	var list tenantsAnswer
	s.expect("GET", "/tenants?limit=1", "", 200, &list)
	if list.Tenants[0].Connections != 3 {
		t.Errorf("it has %d connections, want 3", list.Tenants[0].Connections)
	}
}

func TestWhereClientsReachATenant(t *testing.T) {
	t.Parallel()
	for came, want := range map[string]string{
		"localhost:4000":         "http://acme.localhost:4000",
		"127.0.0.1:4000":         "http://acme.localhost:4000",
		"[::1]:4000":             "http://acme.localhost:4000",
		"example.com":            "http://acme.example.com",
		"console.example.com":    "http://acme.example.com",
		"other.localhost:4000":   "http://acme.localhost:4000",
		"realtime.example.com:1": "http://acme.example.com:1",
	} {
		c := &Console{Directory: &tenant.Directory{}}
		if got := c.urlOf(&http.Request{Host: came}, "acme"); got != want {
			t.Errorf("from %s it is %s, want %s", came, got, want)
		}
	}
	c := &Console{Directory: &tenant.Directory{Default: "acme"}}
	for came, want := range map[string]string{
		"localhost:4000": "http://localhost:4000", "10.0.0.1": "http://10.0.0.1", "[::1]": "http://[::1]", "[::1]:80": "http://[::1]:80",
		"admin.example.com": "http://acme.example.com", "tutti": "http://tutti",
	} {
		if got := c.urlOf(&http.Request{Host: came}, "acme"); got != want {
			t.Errorf("the default tenant is from %s at %s, want %s", came, got, want)
		}
	}
	c.TenantURL = "https://{tenant}.example.com"
	if got := c.urlOf(&http.Request{Host: "x"}, "acme"); got != "https://acme.example.com" {
		t.Errorf("it is %s", got)
	}
}

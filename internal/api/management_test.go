package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

const (
	managementSecret = "the secret of those who manage it"
	nextSecret       = "the secret of those who will do so"
)

// memory is a Registry that gives its tenants ids, and whose pages are small.
type memory struct {
	mu   sync.Mutex // guards what follows
	all  map[string]*tutti.Tenant
	fail error // of every call
}

func (m *memory) Find(_ context.Context, id string) (*tutti.Tenant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	if t := m.all[id]; t != nil {
		return t, nil
	}
	return nil, tutti.ErrNoTenant
}

func (m *memory) List(ctx context.Context, q tutti.TenantQuery) (tutti.TenantPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return tutti.TenantPage{}, m.fail
	}
	if q.Limit == 0 {
		q.Limit = 2
	}
	var all tenant.Fixed
	for _, t := range m.all {
		all = append(all, t)
	}
	return all.List(ctx, q)
}

func (m *memory) Put(_ context.Context, t *tutti.Tenant) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return false, m.fail
	}
	stored, created := *t, m.all[t.ExternalID] == nil
	if created {
		stored.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(m.all)+1)
	}
	m.all[t.ExternalID] = &stored
	return created, nil
}

func (m *memory) Delete(_ context.Context, id string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return false, m.fail
	}
	existed := m.all[id] != nil
	delete(m.all, id)
	return existed, nil
}

// registries are the kinds of Registry that every test of a contract runs with.
func registries(t testing.TB) map[string]tenant.Registry {
	path := filepath.Join(t.TempDir(), "tenants.yaml")
	if err := os.WriteFile(path, []byte("tenants: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := tenant.OpenFile(path, os.Getenv, tenant.StandardDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tenant.Registry{"memory": &memory{all: map[string]*tutti.Tenant{}}, "file": file}
}

// reversed is a Sealer that everybody can open.
type reversed struct{}

func (reversed) Seal(text string) (string, error) {
	if text == "unsealable" {
		return "", errors.New("no key")
	}
	return "g1:" + text, nil
}

// managed returns a node with a Management; change, which may be nil, sets it
// up further.
func newManaged(r tenant.Registry, change func(*Management)) *node {
	return newNode(func(a *API) {
		a.Tenants = &tenant.Directory{Store: r}
		a.Management = &Management{
			Registry: r, Defaults: tenant.StandardDefaults(), Secrets: []string{managementSecret, nextSecret}, Sealer: reversed{},
		}
		if change != nil {
			change(a.Management)
		}
	})
}

// described is openapi.json, read once.
var described = sync.OnceValues(describe)

// manage sends a request with a token of the management, and checks that its
// answer is one that openapi.json knows of.
func (n *node) manage(t testing.TB, c call) *httptest.ResponseRecorder {
	t.Helper()
	headers := map[string]string{"Authorization": "Bearer " + token(t, managementSecret, time.Hour)}
	maps.Copy(headers, c.headers)
	c.headers = headers
	w := n.do(t, c)
	path, _, _ := strings.Cut(strings.TrimPrefix(c.path, gateway), "?")
	if parts := strings.Split(path, "/"); len(parts) > 3 {
		parts[3] = "{id}"
		path = strings.Join(parts, "/")
	}
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	if _, told := d.Paths[path][c.method].Responses[fmt.Sprint(w.Code)]; !told {
		t.Errorf("%s %s: %d is not in openapi.json", c.method, path, w.Code)
	}
	return w
}

const (
	database = `{"type":"postgres","settings":{"region":"us-east-1","db_host":"127.0.0.1","db_port":"5432",` +
		`"db_name":"postgres","db_user":"supabase_admin","db_password":"hidden","ssl_enforced":false,"postgres_changes_pool":9}}`
	newTenant = `{"tenant":{"external_id":"acme","name":"ignored","jwt_secret":"hidden","max_events_per_second":"500",` +
		`"jwt_jwks":{"keys":[{"kty":"oct","k":"hidden"}]},"unknown":1,"extensions":[` + database + `]}}`
)

// shownTenant is newTenant as it is shown, without its id and times.
const shownTenant = `{"data":{"id":"ID","external_id":"acme","name":"acme","max_concurrent_users":200,"max_channels_per_client":100,` +
	`"max_events_per_second":500,"max_joins_per_second":100,"inserted_at":"NOW","private_only":false,` +
	`"max_client_presence_events_per_window":null,"client_presence_window_ms":null,"presence_enabled":false,` +
	`"extensions":[{"type":"postgres_cdc_rls","inserted_at":"NOW","updated_at":"NOW","settings":{` +
	`"db_host":"g1:127.0.0.1","db_name":"g1:postgres","db_port":"g1:5432","db_user":"g1:supabase_admin",` +
	`"poll_interval_ms":100,"poll_max_changes":100,"poll_max_record_bytes":1048576,"publication":"supabase_realtime",` +
	`"region":"us-east-1","slot_name":"supabase_realtime_replication_slot","ssl_enforced":false,"subcriber_pool_size":9}}]}}`

// anonymous replaces what differs from run to run in an answer.
func anonymous(t *testing.T, body string) string {
	t.Helper()
	var shown struct {
		Data struct {
			ID         string `json:"id"`
			InsertedAt string `json:"inserted_at"`
		} `json:"data"`
	}
	if json.Unmarshal([]byte(body), &shown) != nil || shown.Data.ID == "" {
		return body
	}
	at, err := time.Parse("2006-01-02T15:04:05", shown.Data.InsertedAt)
	if age := time.Since(at); err != nil || age < -time.Second || age > time.Minute {
		t.Errorf("inserted at %q", shown.Data.InsertedAt)
	}
	return strings.NewReplacer(shown.Data.ID, "ID", shown.Data.InsertedAt, "NOW").Replace(body)
}

func TestTenantsAPI(t *testing.T) {
	t.Parallel()
	post := func(body string) call { return call{method: "POST", path: "/api/tenants", body: body} }
	put := func(id, body string) call { return call{method: "PUT", path: "/api/tenants/" + id, body: body} }
	get := func(path string) call { return call{method: "GET", path: path} }
	gone := `{"message":"not found"}`
	settings := func(settings string) string {
		return `{"tenant":{"extensions":[{"type":"music","settings":{}},{"type":"postgres_cdc_rls","settings":` + settings + `}]}}`
	}
	for name, tt := range map[string]struct {
		call   call
		status int
		body   string
	}{
		"a tenant is created":                       {put("new", `{"tenant":{"jwt_secret":"s","extensions":[]}}`), 201, `"external_id":"new","name":"new","max_concurrent_users":200`},
		"a tenant is created by a post":             {post(`{"tenant":{"external_id":"new","jwt_secret":"s","extensions":[]}}`), 201, `"external_id":"new"`},
		"a tenant is changed by a post":             {post(newTenant), 200, `"name":"ignored","max_concurrent_users":200`},
		"a tenant is changed":                       {put("acme", `{"tenant":{"max_joins_per_second":7}}`), 200, `"max_events_per_second":500,"max_joins_per_second":7,`},
		"a tenant is patched":                       {call{method: "PATCH", path: "/api/tenants/acme", body: `{"tenant":{"name":"Acme"}}`}, 200, `"name":"Acme"`},
		"nothing is changed":                        {put("acme", `{"tenant":{}}`), 200, shownTenant},
		"null puts a default back":                  {put("acme", `{"tenant":{"max_events_per_second":null}}`), 200, `"max_events_per_second":100,`},
		"the id of the path counts":                 {put("acme", `{"tenant":{"external_id":"other"}}`), 200, shownTenant},
		"under the gateway":                         {get("/realtime/v1/api/tenants/acme"), 200, shownTenant},
		"a tenant":                                  {get("/api/tenants/acme"), 200, shownTenant},
		"a tenant that is not there":                {get("/api/tenants/nobody"), 404, gone},
		"an id that no store could find":            {get("/api/tenants/%FF"), 404, gone},
		"an id with a zero":                         {get("/api/tenants/a%00"), 404, gone},
		"a list":                                    {get("/api/tenants"), 200, `{"data":[{"id":`},
		"a page":                                    {get("/api/tenants?limit=1"), 200, `"next":"acme"}`},
		"the last page":                             {get("/api/tenants?limit=5&after=school"), 200, `{"data":[]}`},
		"a search":                                  {get("/api/tenants?search=SCHOO&suspend=true"), 200, `"external_id":"school"`},
		"a search that finds nobody":                {get("/api/tenants?search=x&suspend=false"), 200, `{"data":[]}`},
		"a page that is too long":                   {get("/api/tenants?limit=1001"), 422, `{"errors":{"limit":["must be a number from 1 to 1000"]}}`},
		"parameters that make no sense":             {get("/api/tenants?limit=x&suspend=2&search=%FF&after=%00"), 422, `{"errors":{"after":["is invalid"],"limit":["must be a number from 1 to 1000"],"search":["is invalid"],"suspend":["is invalid"]}}`},
		"a tenant is deleted":                       {call{method: "DELETE", path: "/api/tenants/acme"}, 204, ""},
		"a tenant that is not there is deleted":     {call{method: "DELETE", path: "/api/tenants/nobody"}, 204, ""},
		"a tenant that cannot be is deleted":        {call{method: "DELETE", path: "/api/tenants/%FF"}, 204, ""},
		"a reload":                                  {call{path: "/api/tenants/acme/reload"}, 204, ""},
		"a reload of nobody":                        {call{path: "/api/tenants/nobody/reload"}, 404, gone},
		"a shutdown":                                {call{path: "/api/tenants/acme/shutdown"}, 204, ""},
		"a shutdown of nobody":                      {call{path: "/api/tenants/nobody/shutdown"}, 404, gone},
		"the health":                                {get("/api/tenants/acme/health"), 200, `{"data":{"healthy":true,"db_connected":false,"replication_connected":false,"connected_cluster":0,"region":"","node":""}}`},
		"the health of nobody":                      {get("/api/tenants/nobody/health"), 404, gone},
		"no key tenant":                             {post(`{"external_id":"a"}`), 400, "Bad Request"},
		"a tenant that is null":                     {post(`{"tenant":null}`), 400, "Bad Request"},
		"a tenant that is a list":                   {put("acme", `{"tenant":[]}`), 400, "Bad Request"},
		"no body":                                   {post(""), 400, "Bad Request"},
		"a body that is no JSON":                    {post("{"), 400, "Bad Request"},
		"a body that does not say it is JSON":       {call{method: "POST", path: "/api/tenants", body: newTenant, headers: map[string]string{"Content-Type": "text/plain"}}, 400, "Bad Request"},
		"a body that is too long":                   {post(payload(maxBody + 1)), 413, "Request Entity Too Large"},
		"no id":                                     {post(`{"tenant":{}}`), 422, `{"errors":{"external_id":["can't be blank"]}}`},
		"an id that is a number":                    {post(`{"tenant":{"external_id":1}}`), 422, `{"errors":{"external_id":["is invalid"]}}`},
		"an id that no store could keep":            {put("%FF", `{"tenant":{}}`), 422, `{"errors":{"external_id":["is invalid"]}}`},
		"a new tenant without anything":             {put("new", `{"tenant":{}}`), 422, `{"errors":{"extensions":["can't be blank"],"jwt_secret":["either jwt_secret or jwt_jwks must be provided"]}}`},
		"a tenant that loses its secrets":           {put("acme", `{"tenant":{"jwt_secret":"","jwt_jwks":null}}`), 422, `{"errors":{"jwt_secret":["either jwt_secret or jwt_jwks must be provided"]}}`},
		"numbers that are none":                     {put("acme", `{"tenant":{"max_joins_per_second":1.5,"max_events_per_second":"x","max_bytes_per_second":-1,"max_concurrent_users":2147483648}}`), 422, `{"errors":{"max_bytes_per_second":["must be greater than or equal to 0"],"max_concurrent_users":["must be less than or equal to 2147483647"],"max_events_per_second":["is invalid"],"max_joins_per_second":["is invalid"]}}`},
		"settings that are missing":                 {put("acme", settings(`{"db_host":1,"db_name":"","db_user":null}`)), 422, `{"errors":{"extensions":[{},{"settings":["region can't be blank","db_host is invalid","db_port can't be blank","db_name can't be blank","db_user can't be blank","db_password can't be blank"]}]}}`},
		"an extension without anything":             {put("acme", `{"tenant":{"extensions":[{}]}}`), 422, `{"errors":{"extensions":[{"settings":["can't be blank"],"type":["can't be blank"]}]}}`},
		"extensions that are no list":               {put("acme", `{"tenant":{"extensions":{}}}`), 422, `{"errors":{"extensions":["is invalid"]}}`},
		"a method that is not known":                {call{method: "GET", path: "/api/tenants/acme/reload"}, 404, "Not Found"},
		"clients cannot be disconnected":            {call{path: "/api/tenants/acme/disconnect", body: `{}`}, 501, `{"message":"This server cannot do that to single clients"}`},
		"channels cannot be asked about":            {call{path: "/api/tenants/acme/reauthorize", body: `{}`}, 501, `{"message":"This server cannot do that to single clients"}`},
		"clients of nobody":                         {call{path: "/api/tenants/nobody/disconnect", body: `{}`}, 404, gone},
		"clients of a topic without its name":       {call{path: "/api/tenants/acme/disconnect", body: `{"private":true}`}, 422, `{"errors":{"topic":["can't be blank"]}}`},
		"clients by a name that is not known":       {call{path: "/api/tenants/acme/disconnect", body: `{"subject":"x","sub":"","private":3,"topic":""}`}, 422, `{"errors":{"private":["is invalid"],"sub":["can't be blank"],"subject":["is unknown"],"topic":["can't be blank"]}}`},
		"clients by a body that is a list":          {call{path: "/api/tenants/acme/disconnect", body: `[]`}, 400, "Bad Request"},
		"clients by nothing":                        {call{path: "/api/tenants/acme/disconnect"}, 400, "Bad Request"},
		"clients by a body that may not be JSON":    {call{path: "/api/tenants/acme/disconnect", body: `{}`, headers: map[string]string{"Content-Type": ""}}, 415, `{"message":"Unsupported Media Type. Use application/json"}`},
		"no token":                                  {call{method: "GET", path: "/api/tenants", headers: map[string]string{"Authorization": ""}}, 403, ""},
		"a token of a tenant":                       {call{method: "GET", path: "/api/tenants", headers: map[string]string{"Authorization": "Bearer " + token(t, secret, time.Hour)}}, 403, ""},
		"a token without the word before it":        {call{method: "GET", path: "/api/tenants", headers: map[string]string{"Authorization": token(t, managementSecret, time.Hour)}}, 403, ""},
		"a token behind a small word":               {call{method: "GET", path: "/api/tenants", headers: map[string]string{"Authorization": "bearer " + token(t, managementSecret, time.Hour)}}, 403, ""},
		"a token that has expired":                  {call{method: "DELETE", path: "/api/tenants/acme", headers: map[string]string{"Authorization": "Bearer " + token(t, managementSecret, -time.Hour)}}, 403, ""},
		"a token of the next secret":                {call{method: "DELETE", path: "/api/tenants/acme", headers: map[string]string{"Authorization": "Bearer " + token(t, nextSecret, time.Hour)}}, 204, ""},
		"a token with white space in it":            {call{method: "DELETE", path: "/api/tenants/acme", headers: map[string]string{"Authorization": "Bearer  " + token(t, managementSecret, time.Hour) + "%0A"}}, 204, ""},
		"no token, and a tenant that is not there":  {call{method: "GET", path: "/api/tenants/nobody", headers: map[string]string{"Authorization": ""}}, 403, ""},
		"no token, and a body that cannot be right": {call{method: "POST", path: "/api/tenants", body: "{", headers: map[string]string{"Authorization": ""}}, 403, ""},
	} {
		for kind, registry := range registries(t) {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				n := newManaged(registry, nil)
				for _, body := range []string{newTenant, `{"tenant":{"external_id":"school","jwt_secret":"s","suspend":true,"extensions":[]}}`} {
					if w := n.manage(t, post(body)); w.Code != 201 {
						t.Fatalf("created: %d %s", w.Code, w.Body)
					}
				}
				c := tt.call
				c.method = cmp.Or(c.method, "POST")
				send := n.manage
				if strings.HasPrefix(name, "a method") {
					send = n.do // openapi.json knows nothing of it
				}
				w := send(t, c)
				got := anonymous(t, w.Body.String())
				partial := len(tt.body) > 0 && !strings.HasPrefix(tt.body, `{"e`) && !strings.HasSuffix(tt.body, "}}")
				if w.Code != tt.status || got != tt.body && (!partial || !strings.Contains(got, tt.body)) {
					t.Errorf("got %d %s, want %d %s", w.Code, got, tt.status, tt.body)
				}
				for _, where := range []string{got, n.log.String()} {
					if strings.Contains(where, "hidden") {
						t.Errorf("a secret is in %s", where)
					}
				}
			})
		}
	}
}

func TestLocationsAndIDs(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"memory": "00000000-0000-4000-8000-000000000001",
		"file":   identity(&tutti.Tenant{ExternalID: "acme"}),
	} {
		n := newManaged(registries(t)[kind], nil)
		for _, status := range []int{201, 200} {
			w := n.manage(t, call{method: "POST", path: "/api/tenants", body: newTenant})
			if w.Code != status || w.Header().Get("Location") != "/api/tenants/"+want || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: got %d, %v, %s", kind, w.Code, w.Header(), w.Body)
			}
		}
	}
	if a, b := identity(&tutti.Tenant{ExternalID: "a"}), identity(&tutti.Tenant{ExternalID: "b"}); a == b || len(a) != 36 || a[14] != '5' {
		t.Errorf("ids are %s and %s", a, b)
	}
}

func TestAllTenantsAreListedFromManyPages(t *testing.T) {
	t.Parallel()
	for kind, registry := range registries(t) {
		n := newManaged(registry, nil)
		for i := range 5 {
			n.manage(t, call{method: "PUT", path: fmt.Sprint("/api/tenants/t", i), body: `{"tenant":{"jwt_secret":"s","extensions":[]}}`})
		}
		w := n.manage(t, call{method: "GET", path: "/api/tenants"})
		if got := strings.Count(w.Body.String(), `"external_id"`); got != 5 || strings.Contains(w.Body.String(), "next") {
			t.Errorf("%s: %d tenants in %s", kind, got, w.Body)
		}
	}
}

func TestFailuresOfTheStore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fail   error
		status int
		body   string
		logged int
	}{
		"it is down":                {fmt.Errorf("connect: %w", tutti.ErrUnavailable), 503, `{"message":"The store of the tenants gives no answer, please try again"}`, 1},
		"it takes too long":         {fmt.Errorf("query: %w", context.DeadlineExceeded), 503, `{"message":"The store of the tenants gives no answer, please try again"}`, 1},
		"it is broken":              {errors.New("syntax error"), 500, `{"message":"Internal Server Error"}`, 1},
		"it cannot make the change": {&tenant.Conflict{Reason: "mounted, mount it elsewhere"}, 409, `{"message":"mounted, mount it elsewhere"}`, 0},
	} {
		for _, c := range []call{
			{method: "GET", path: "/api/tenants"},
			{method: "GET", path: "/api/tenants/acme"},
			{method: "POST", path: "/api/tenants", body: newTenant},
			{method: "DELETE", path: "/api/tenants/acme"},
			{method: "POST", path: "/api/tenants/acme/reload"},
			{method: "POST", path: "/api/tenants/acme/disconnect", body: "{}"},
		} {
			t.Run(name+", "+c.method+" "+c.path, func(t *testing.T) {
				t.Parallel()
				n := newManaged(&memory{fail: tt.fail}, nil)
				if tt.status == 409 && (c.method == "GET" || strings.Count(c.path, "/") > 3) {
					t.Skip("reading is no change")
				}
				w := n.manage(t, c)
				if w.Code != tt.status || w.Body.String() != tt.body {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
				if lines := strings.Count(n.log.String(), "\n"); lines != tt.logged || strings.Contains(n.log.String(), "tenant managed") {
					t.Errorf("logged %s", &n.log)
				}
			})
		}
	}
}

func TestTheReadyMadeTenantSaysHowToManageTenants(t *testing.T) {
	t.Parallel()
	n := newManaged(tenants(), nil)
	for _, c := range []call{
		{method: "PUT", path: "/api/tenants/acme", body: `{"tenant":{"suspend":true}}`},
		{method: "DELETE", path: "/api/tenants/acme"},
	} {
		if w := n.manage(t, c); w.Code != 409 || !strings.Contains(w.Body.String(), "tenants file") {
			t.Errorf("%s: got %d %s", c.method, w.Code, w.Body)
		}
	}
	if w := n.manage(t, call{method: "GET", path: "/api/tenants"}); w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
}

func TestNobodyManagesWhat(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*API){
		"has no secret":      func(a *API) { a.Management.Secrets = []string{"", ""} },
		"blocked the token":  func(a *API) { a.Management.Blocklist = []string{token(t, managementSecret, 30*time.Minute)} },
		"asks for a claim":   func(a *API) { a.Verifier = &auth.Verifier{Validators: map[string]any{"iss": "x"}} },
		"has no such routes": func(a *API) { a.Management = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newManaged(registries(t)["memory"], nil)
			change(n.API)
			n.handler = n.Handler()
			w := n.do(t, call{method: "GET", path: "/api/tenants", headers: map[string]string{
				"Authorization": "Bearer " + token(t, managementSecret, 30*time.Minute),
			}})
			if want := n.Management == nil; (w.Code == 404) != want || (w.Code == 403 && w.Body.Len() == 0) == want {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestChangesAreInForceAtOnce(t *testing.T) {
	t.Parallel()
	for kind, registry := range registries(t) {
		var dismissed []string
		n := newManaged(registry, nil)
		n.Tenants.Changed = func(id string, before, after *tutti.Tenant) {
			if tenant.Disconnects(before, after) {
				dismissed = append(dismissed, id)
			}
		}
		n.manage(t, call{method: "POST", path: "/api/tenants", body: newTenant})
		h, err := n.Tenants.Find(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		n.manage(t, call{method: "PUT", path: "/api/tenants/acme", body: `{"tenant":{"max_joins_per_second":7,"jwt_secret":"hidden"}}`})
		if h.Tenant().MaxJoinsPerSecond != 7 || dismissed != nil {
			t.Errorf("%s: %d joins, dismissed %v", kind, h.Tenant().MaxJoinsPerSecond, dismissed)
		}
		n.manage(t, call{method: "PUT", path: "/api/tenants/acme", body: `{"tenant":{"private_only":"true"}}`})
		n.manage(t, call{method: "DELETE", path: "/api/tenants/acme"})
		if h.Tenant() != nil || len(dismissed) != 2 {
			t.Errorf("%s: dismissed %v", kind, dismissed)
		}
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	var asked []string
	n := newManaged(tenants(), func(m *Management) {
		m.Reload = func(_ context.Context, id string) error { asked = append(asked, "reload "+id); return nil }
		m.Shutdown = func(context.Context, string) error { return errors.New("it will not stop") }
		m.Health = func(_ context.Context, t *tutti.Tenant) Health {
			return Health{ConnectedCluster: 3, Region: "eu", Node: t.ExternalID}
		}
		m.Disconnect = func(_ context.Context, id string, who Who) (int, error) {
			private := "both"
			if who.Private != nil {
				private = fmt.Sprint(*who.Private)
			}
			asked = append(asked, fmt.Sprintf("disconnect %s %q %q %s", id, who.Subject, who.Topic, private))
			return len(asked), nil
		}
	})
	for _, tt := range []struct {
		call   call
		status int
		body   string
		asked  string
	}{
		{call{path: "/api/tenants/acme/reload"}, 204, "", "reload acme"},
		{call{path: "/api/tenants/acme/shutdown"}, 500, `{"message":"Internal Server Error"}`, "reload acme"},
		{call{method: "GET", path: "/api/tenants/acme/health"}, 200, `{"data":{"healthy":false,"db_connected":false,"replication_connected":false,"connected_cluster":3,"region":"eu","node":"acme"}}`, "reload acme"},
		{call{path: "/api/tenants/acme/disconnect", body: ` {} `}, 200, `{"data":{"disconnected":2}}`, `disconnect acme "" "" both`},
		{call{path: "/api/tenants/acme/disconnect", body: `{"sub":"user-1"}`}, 200, `{"data":{"disconnected":3}}`, `disconnect acme "user-1" "" both`},
		{call{path: "/realtime/v1/api/tenants/acme/disconnect", body: `{"topic":"room1","private":false}`}, 200, `{"data":{"disconnected":4}}`, `disconnect acme "" "room1" false`},
	} {
		tt.call.method = cmp.Or(tt.call.method, "POST")
		w := n.manage(t, tt.call)
		if w.Code != tt.status || w.Body.String() != tt.body || asked[len(asked)-1] != tt.asked {
			t.Errorf("%s: got %d %s, asked %v", tt.call.path, w.Code, w.Body, asked)
		}
	}
}

func TestChangesAreLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	n := newManaged(registries(t)["file"], nil)
	n.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	named, err := auth.Mint(managementSecret, map[string]any{"iss": "supabase", "sub": "ops@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"Authorization": "Bearer  " + named, "X-Request-Id": "0123456789-0123456789"}
	for _, c := range []call{
		{method: "POST", path: "/api/tenants", body: newTenant},
		{method: "PUT", path: "/api/tenants/acme", body: `{"tenant":{"jwt_secret":"new","suspend":true}}`},
		{method: "GET", path: "/api/tenants/acme"},
		{method: "PUT", path: "/api/tenants/acme", body: `{"tenant":{"suspend":"perhaps"}}`},
		{method: "POST", path: "/api/tenants/acme/reload"},
		{method: "DELETE", path: "/api/tenants/acme"},
		{method: "DELETE", path: "/api/tenants/acme"},
	} {
		c.headers = headers
		n.manage(t, c)
	}
	const who = `level=INFO msg="tenant managed" who=ops@example.com `
	const from = ` remote=192.0.2.1:1234 request=0123456789-0123456789` + "\n"
	all := "external_id,name,jwt_secret,jwt_jwks,max_concurrent_users,max_events_per_second,max_joins_per_second,max_channels_per_client," +
		"max_bytes_per_second,max_presence_events_per_second,max_payload_size_in_kb,presence_enabled,private_only,suspend," +
		"postgres_cdc_default,broadcast_adapter,extensions,inserted_at"
	want := who + `action=create tenant=acme fields=` + all + from +
		who + `action=update tenant=acme fields=jwt_secret,suspend` + from +
		who + `action=reload tenant=acme fields=""` + from +
		who + `action=delete tenant=acme fields=""` + from
	if log.String() != want {
		t.Errorf("logged\n%s\nwant\n%s", &log, want)
	}
}

func TestNamesOfBearers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		claims map[string]any
		want   string
	}{
		"the subject comes first":       {map[string]any{"sub": "a", "iss": "b"}, "a"},
		"else it is the issuer":         {map[string]any{"sub": "", "iss": "b"}, "b"},
		"a number is nobody":            {map[string]any{"sub": 1}, ""},
		"nothing is nobody":             {nil, ""},
		"a long name is cut":            {map[string]any{"sub": strings.Repeat("a", 201)}, strings.Repeat("a", 200)},
		"a name is not cut in a letter": {map[string]any{"sub": strings.Repeat("é", 101) + "a"}, strings.Repeat("é", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := auth.Mint(managementSecret, tt.claims)
			if err != nil {
				t.Fatal(err)
			}
			if got := auth.Holder(" " + text + "%0A"); got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
	for _, broken := range []string{"", "a.b", "a.!.c", "a.YQ.c", "%zz"} {
		if got := auth.Holder(broken); got != "" {
			t.Errorf("%q is %q", broken, got)
		}
	}
}

func TestSettingsThatAreNotShown(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	shown := &tutti.Tenant{ExternalID: "a", InsertedAt: at, ClientPresenceMaxCalls: 3, ClientPresenceWindow: time.Second, Extensions: []tutti.TenantExtension{
		{Type: "music", Settings: map[string]any{"api_key": "hidden", "Secret": "hidden", "key": "C major"}},
		{Type: "empty"},
	}}
	n := newManaged(tenant.Fixed{shown}, nil)
	w := n.manage(t, call{method: "GET", path: "/api/tenants/a"})
	want := `"inserted_at":"2026-01-02T02:04:05","private_only":false,"max_client_presence_events_per_window":3,"client_presence_window_ms":1000,` +
		`"presence_enabled":false,"extensions":[{"type":"music","inserted_at":null,"updated_at":null,"settings":{"key":"C major"}},` +
		`{"type":"empty","inserted_at":null,"updated_at":null,"settings":{}}]}}`
	if !strings.HasSuffix(w.Body.String(), want) {
		t.Errorf("got %s", w.Body)
	}
	for host, status := range map[any]int{"unsealable": 500, 1.0: 500, "open": 200} {
		database := tutti.TenantExtension{Type: tenant.DatabaseExtension, Settings: map[string]any{"db_host": host}}
		n := newManaged(tenant.Fixed{{ExternalID: "a", Extensions: []tutti.TenantExtension{database}}}, func(m *Management) {
			if host == "open" {
				m.Sealer = nil
			}
		})
		for _, path := range []string{"/api/tenants/a", "/api/tenants"} {
			if w := n.manage(t, call{method: "GET", path: path}); w.Code != status || strings.Contains(w.Body.String(), "open") {
				t.Errorf("%v: got %d %s", host, w.Code, w.Body)
			}
		}
	}
}

func TestOpenAPIKnowsEveryRoute(t *testing.T) {
	t.Parallel()
	n := newManaged(registries(t)["memory"], nil)
	d, err := describe()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{"GET " + socketPath: true}
	for _, r := range n.routes() {
		if !r.undocumented {
			served[r.method+" "+r.path] = true
		}
	}
	told := map[string]bool{}
	for path, methods := range d.Paths {
		for method, o := range methods {
			told[method+" "+path] = true
			if o.Summary == "" || len(o.Responses) == 0 {
				t.Errorf("%s %s says too little", method, path)
			}
			for status, response := range o.Responses {
				if response.Description == "" {
					t.Errorf("%s %s does not say what %s is", method, path, status)
				}
			}
		}
	}
	for route := range served {
		if !told[route] {
			t.Errorf("%s is not in openapi.json", route)
		}
	}
	for route := range told {
		if !served[route] {
			t.Errorf("%s is in openapi.json, and nowhere else", route)
		}
	}
}

func TestOpenAPIIsShown(t *testing.T) {
	t.Parallel()
	n := newNode(nil)
	for path, want := range map[string]string{
		"/api/openapi":             `"openapi": "3.1.0"`,
		"/realtime/v1/api/openapi": `"openapi": "3.1.0"`,
		"/swaggerui":               "<dt><code>PATCH</code> The same as PUT</dt>",
	} {
		w := n.do(t, call{method: "GET", path: path})
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
		if strings.HasSuffix(path, "openapi") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s is no JSON", path)
		}
	}
}

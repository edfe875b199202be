package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	blocked := mintFor(t, secret, map[string]any{"exp": in(time.Hour), "jti": "blocked"})
	service := mintFor(t, secret, map[string]any{"role": "service_role", "exp": in(time.Hour)})
	for name, tt := range map[string]struct {
		keys   func(*Keys)
		with   func(*http.Request)
		status int
		code   string
	}{
		"the right password":                {status: 200},
		"a wrong password":                  {with: func(r *http.Request) { r.SetBasicAuth("root", "wrong") }, status: 401, code: "SignInRefused"},
		"a wrong name":                      {with: func(r *http.Request) { r.SetBasicAuth("boot", "right") }, status: 401, code: "SignInRefused"},
		"an empty password":                 {with: func(r *http.Request) { r.SetBasicAuth("root", "") }, status: 401, code: "SignInRefused"},
		"the beginning of the password":     {with: func(r *http.Request) { r.SetBasicAuth("root", "righ") }, status: 401, code: "SignInRefused"},
		"nobody in particular":              {with: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: "SignInRequired"},
		"another scheme":                    {with: func(r *http.Request) { r.Header.Set("Authorization", "Digest x") }, status: 401, code: "SignInRequired"},
		"a token":                           {with: bearer(mintFor(t, secret, map[string]any{})), status: 200},
		"a token of the next secret":        {with: bearer(mintFor(t, nextSecret, map[string]any{"exp": in(time.Hour)})), status: 200},
		"a token of another secret":         {with: bearer(mintFor(t, secret+"x", map[string]any{})), status: 401, code: "SignInRefused"},
		"a token that has expired":          {with: bearer(mintFor(t, secret, map[string]any{"exp": in(-time.Hour)})), status: 401, code: "SignInRefused"},
		"a token on the block list":         {with: bearer(blocked), status: 401, code: "SignInRefused"},
		"no token at all":                   {with: bearer("x"), status: 401, code: "SignInRefused"},
		"the service key":                   {with: bearer(service), status: 200},
		"the anon key of the same secret":   {with: bearer(mintFor(t, secret, map[string]any{"role": "anon", "exp": in(time.Hour)})), status: 401, code: "SignInRefused"},
		"a user's token of the same secret": {with: bearer(mintFor(t, secret, map[string]any{"role": "authenticated", "exp": in(time.Hour)})), status: 401, code: "SignInRefused"},
		"a request from another site":       {with: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, status: 403, code: "RequestNotAllowed"},
		"nothing is set up":                 {keys: func(k *Keys) { *k = Keys{} }, status: 403, code: "DashboardDisabled"},
		"an empty password where none is set": {
			keys: func(k *Keys) { k.User, k.Password = "", "" }, with: func(r *http.Request) { r.SetBasicAuth("", "") }, status: 401, code: "SignInRefused",
		},
		"a token where only a password is set": {
			keys: func(k *Keys) { k.Secrets = nil }, with: bearer(mintFor(t, secret, nil)), status: 401, code: "SignInRefused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, func(c *Console) {
				c.Keys.Blocklist = []string{blocked}
				if tt.keys != nil {
					tt.keys(&c.Keys)
				}
			})
			answer := s.ask("GET", "/overview", "", tt.with)
			var f Fault
			if err := json.NewDecoder(answer.Body).Decode(&f); err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != tt.status || f.Code != tt.code {
				t.Errorf("answers %d %s, want %d %s", answer.StatusCode, f.Code, tt.status, tt.code)
			}
			if tt.status != 200 && (f.Message == "" || f.Cure == "") {
				t.Errorf("%+v does not say what to do", f)
			}
			if h := answer.Header; h.Get("WWW-Authenticate") != "" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Security-Policy") == "" {
				t.Errorf("headers are %v", h)
			}
		})
	}
}

func TestEveryPathAsksWhoComes(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	for _, path := range []string{
		"GET /overview", "GET /live", "GET /doctor?tenant=acme", "GET /tenants", "POST /tenants", "GET /tenants/acme", "PATCH /tenants/acme",
		"DELETE /tenants/acme", "GET /tenants/acme/health", "GET /tenants/acme/snippet", "GET /tenants/acme/topics", "POST /tenants/acme/kick",
		"POST /tenants/acme/reload", "POST /tenants/acme/token", "GET /tenants/acme/topics/t", "GET /tenants/acme/topics/t/live", "GET /nowhere",
	} {
		method, path, _ := strings.Cut(path, " ")
		if answer := s.ask(method, path, "{}", func(r *http.Request) { r.Header.Del("Authorization") }); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s answers a stranger %d", method, path, answer.StatusCode)
		}
		// What changes something wants the header that other sites cannot send.
		if method == "GET" {
			continue
		}
		if answer := s.ask(method, path, "{}", func(r *http.Request) { r.Header.Del("X-Requested-With") }); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s answers a form of another site %d", method, path, answer.StatusCode)
		}
		if answer := s.ask(method, path, "confirm=acme", func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}); answer.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s %s takes a form: %d", method, path, answer.StatusCode)
		}
	}
	if s.registry.all["acme"] == nil || s.reloaded != "" {
		t.Error("somebody who was refused changed something")
	}
}

func TestABrowserThatShowsNoPageIsAskedForThePassword(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	answer := s.ask("GET", "/overview", "", func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Del("X-Requested-With")
	})
	if answer.StatusCode != 401 || !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("answers %d %v", answer.StatusCode, answer.Header)
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	for i := range guesses {
		if answer := s.ask("GET", "/overview", "", func(r *http.Request) { r.SetBasicAuth("root", "guess") }); answer.StatusCode != 401 {
			t.Fatalf("guess %d answers %d", i, answer.StatusCode)
		}
	}
	answer := s.ask("GET", "/overview", "", nil)
	if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
		t.Errorf("after many guesses even the right password should wait, answers %d %v", answer.StatusCode, answer.Header)
	}
	token := mintFor(t, secret, map[string]any{})
	if answer := s.ask("GET", "/overview", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }); answer.StatusCode != 200 {
		t.Errorf("somebody who guesses has shut out who has a token: %d", answer.StatusCode)
	}
	if log := s.log(); strings.Contains(log, "guess") || !strings.Contains(log, "SignInRefused") {
		t.Errorf("the log says %s", log)
	}
}

package gate

import (
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestOriginsCover(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		list    string
		yes, no []string
	}{
		"no list": {"", []string{"https://a.example", "null", "nonsense"}, nil},
		"a star":  {"https://a.example,*", []string{"https://b.example", "null"}, nil},
		"one":     {"https://app.example.com", []string{"https://app.example.com", "HTTPS://APP.example.com", "https://app.example.com:443"}, []string{"http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil.example", "https://evil.example/https://app.example.com", "https://app.example.com@evil.example", "https://app.example.com#.evil.example", "null", "", "https://", "app.example.com"}},
		"below":   {"https://*.example.com", []string{"https://a.example.com", "https://a.b.example.com"}, []string{"https://example.com", "https://evilexample.com", "https://a.example.com:444", "https://.example.com.evil.example", "http://a.example.com"}},
		"a port":  {"http://localhost:3000", []string{"http://localhost:3000"}, []string{"http://localhost", "http://localhost:30000", "http://localhost:"}},
		"ports":   {"http://localhost:*", []string{"http://localhost:3000", "http://localhost"}, []string{"https://localhost:3000", "http://localhost.evil.example:3000"}},
		"null":    {"null", []string{"null"}, []string{"https://null", "NULL"}},
		"an app":  {"capacitor://localhost", []string{"capacitor://localhost"}, []string{"http://localhost"}},
		"IPv6":    {"http://[::1]:5173", []string{"http://[::1]:5173"}, []string{"http://[::1]"}},
		"spaces":  {" https://a.example , https://b.example", []string{"https://a.example", "https://b.example"}, []string{"https://c.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var list []string
			if tt.list != "" {
				list = strings.Split(tt.list, ",")
			}
			o, err := ParseOrigins(list)
			if err != nil {
				t.Fatal(err)
			}
			for _, origin := range tt.yes {
				if !o.Allow(origin) {
					t.Errorf("%q is refused", origin)
				}
			}
			for _, origin := range tt.no {
				if o.Allow(origin) {
					t.Errorf("%q is allowed", origin)
				}
			}
		})
	}
}

func TestOriginsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "example.com", "https://", "https://a.example/path", "https://a.example/", "https://*", "https://a.*.example", "https://*a.example", "https://u@a.example", "https://a.example?", "//a.example", "https://a.example:"} {
		if _, err := ParseOrigins([]string{text}); err == nil || !strings.Contains(err.Error(), "https://*.example.com") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func tenantOf(allowed any) *tutti.Tenant {
	return &tutti.Tenant{ExternalID: "acme", Extensions: []tutti.TenantExtension{{Type: TenantOrigins, Settings: map[string]any{"allowed": allowed}}}}
}

func TestPagesThatMayCall(t *testing.T) {
	t.Parallel()
	servers, err := ParseOrigins([]string{"https://*.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		origins Origins
		tenant  *tutti.Tenant
		headers []string
		refused bool
		logged  string
	}{
		"no page at all":                          {origins: servers},
		"a page of the list":                      {origins: servers, headers: []string{"Origin: https://a.example.com"}},
		"a page of another site":                  {origins: servers, headers: []string{"Origin: https://evil.example"}, refused: true},
		"a page of the server itself":             {origins: servers, headers: []string{"Origin: http://acme.example.com:4000"}},
		"one of another port of it":               {origins: servers, headers: []string{"Origin: http://acme.example.com:4001"}, refused: true},
		"two origins":                             {origins: servers, headers: []string{"Origin: https://a.example.com", "Origin: https://evil.example"}, refused: true},
		"an empty origin":                         {origins: servers, headers: []string{"Origin: "}, refused: true},
		"any page where there is no list":         {headers: []string{"Origin: https://evil.example"}},
		"a page of the tenant's list":             {tenant: tenantOf([]any{"https://school.example"}), headers: []string{"Origin: https://school.example"}},
		"a page that the tenant does not name":    {tenant: tenantOf([]any{"https://school.example"}), headers: []string{"Origin: https://evil.example"}, refused: true},
		"a tenant that opens what is shut":        {origins: servers, tenant: tenantOf([]any{"*"}), headers: []string{"Origin: https://evil.example"}, refused: true},
		"a tenant whose list is empty":            {tenant: tenantOf([]any{}), headers: []string{"Origin: https://a.example"}, refused: true},
		"a tenant whose list makes no sense":      {tenant: tenantOf([]any{"example.com"}), headers: []string{"Origin: https://a.example"}, refused: true, logged: "origins of a tenant make no sense"},
		"a tenant whose list is something else":   {tenant: tenantOf("https://a.example"), headers: []string{"Origin: https://a.example"}, refused: true, logged: "must be a list"},
		"a tenant whose list has something else":  {tenant: tenantOf([]any{7.0}), headers: []string{"Origin: https://a.example"}, refused: true, logged: "is no text"},
		"a tenant that has only other extensions": {tenant: &tutti.Tenant{Extensions: []tutti.TenantExtension{{Type: "music"}}}, headers: []string{"Origin: https://a.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, log := open(t, Settings{Origins: tt.origins})
			err := g.Origin(from("192.0.2.1:1", tt.headers...), tt.tenant)
			if refused := refusedWith(err, OriginNotAllowed); refused != tt.refused || (err != nil) != refused {
				t.Errorf("got %v", err)
			}
			if (g.refusals(OriginNotAllowed) == 1) != tt.refused {
				t.Errorf("%v refusals are counted", g.refusals(OriginNotAllowed))
			}
			if !strings.Contains(log.String(), tt.logged) || tt.logged == "" && log.Len() > 0 {
				t.Errorf("logged %q", log)
			}
		})
	}
}

// Who stores tenants asks the extension beforehand.
func TestATenantsListIsReadBeforehand(t *testing.T) {
	t.Parallel()
	e := Extension()
	if _, err := e.Settings(map[string]any{"allowed": []any{"https://a.example"}}); err != nil {
		t.Error(err)
	}
	if _, err := e.Settings(map[string]any{"origins": []any{"https://a.example"}}); err == nil {
		t.Error("a setting of another name is taken, and would let nobody in")
	}
}

func FuzzOrigins(f *testing.F) {
	for _, s := range []string{"https://app.example.com", "https://*.example.com", "http://localhost:*", "null", "http://[::1]:1"} {
		f.Add(s, "https://app.example.com.evil.example")
	}
	f.Fuzz(func(t *testing.T, entry, origin string) {
		o, err := ParseOrigins([]string{entry})
		if err != nil || o.Any() {
			return
		}
		given, ok := cutOrigin(origin)
		if !o.Allow(origin) || origin == "null" {
			return
		}
		host := o.patterns[0].host
		if !ok || given.host != host && !strings.HasSuffix(given.host, "."+host) {
			t.Errorf("%q covers %q", entry, origin)
		}
	})
}

package gate

import (
	"net/netip"
	"strings"
	"testing"
)

func prefixes(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	all, err := ParsePrefixes(list)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhoIsBehindARequest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		remote  string
		headers []string
		want    string
	}{
		"nobody else":                           {"192.0.2.1:5000", nil, "192.0.2.1"},
		"who says to be another":                {"192.0.2.1:5000", []string{"X-Forwarded-For: 198.51.100.7"}, "192.0.2.1"},
		"a client of a proxy":                   {"10.1.2.3:5000", []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7"},
		"a client that says to be another":      {"10.1.2.3:5000", []string{"X-Forwarded-For: 203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"a client that says to be a proxy":      {"10.1.2.3:5000", []string{"X-Forwarded-For: 10.0.0.1, 198.51.100.7"}, "198.51.100.7"},
		"a client of two proxies":               {"10.1.2.3:5000", []string{"X-Forwarded-For: 198.51.100.7, 10.9.9.9"}, "198.51.100.7"},
		"two headers":                           {"10.1.2.3:5000", []string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 10.9.9.9"}, "198.51.100.7"},
		"a proxy that says nothing":             {"10.1.2.3:5000", nil, "10.1.2.3"},
		"a proxy that asks itself":              {"10.1.2.3:5000", []string{"X-Forwarded-For: 10.1.2.4"}, "10.1.2.4"},
		"a proxy that says what is no address":  {"10.1.2.3:5000", []string{"X-Forwarded-For: 198.51.100.7, unknown"}, "10.1.2.3"},
		"a proxy that says ports":               {"10.1.2.3:5000", []string{"X-Forwarded-For: 198.51.100.7:1234"}, "198.51.100.7"},
		"a client with IPv6":                    {"[2001:db8::1]:5000", []string{"X-Forwarded-For: [2001:db8:1::7]:1"}, "2001:db8:1::7"},
		"IPv4 that is written as IPv6":          {"[::ffff:10.1.2.3]:5000", []string{"X-Forwarded-For: ::ffff:198.51.100.7"}, "198.51.100.7"},
		"a pipe":                                {"pipe", []string{"X-Forwarded-For: 198.51.100.7"}, "invalid IP"},
		"a header with a thousand addresses":    {"10.1.2.3:5000", []string{"X-Forwarded-For: " + strings.Repeat("10.0.0.1,", 1000) + "10.0.0.2"}, "10.0.0.1"},
		"an empty header":                       {"10.1.2.3:5000", []string{"X-Forwarded-For: "}, "10.1.2.3"},
		"another header that proxies could set": {"10.1.2.3:5000", []string{"Forwarded: for=198.51.100.7", "X-Real-Ip: 198.51.100.7"}, "10.1.2.3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _ := open(t, Settings{Proxies: prefixes(t, "10.0.0.0/8", "2001:db8::1")})
			if got := g.Address(from(tt.remote, tt.headers...)); got.String() != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	got := prefixes(t, "10.0.0.7", " 10.0.0.9/8", "::ffff:192.0.2.1", "fc00::/7")
	if got[0].String() != "10.0.0.7/32" || got[1].String() != "10.0.0.0/8" || got[2].String() != "192.0.2.1/32" || got[3].String() != "fc00::/7" {
		t.Errorf("got %v", got)
	}
	for _, text := range []string{"", "10.0.0", "10.0.0.0/33", "proxy.example.com", "10.0.0.0/8/8"} {
		if _, err := ParsePrefixes([]string{text}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// An address of IPv4 may be written as one of IPv6; what it is compared with never is.
func TestNetworksInEitherForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"::ffff:10.1.2.3/104": "10.0.0.0/8", "::ffff:10.1.2.3": "10.1.2.3/32", "10.1.2.3/8": "10.0.0.0/8",
		"::ffff:0:0/90": "::ffc0:0:0/90", "2001:db8::1/64": "2001:db8::/64",
	} {
		if got := prefixes(t, text)[0].String(); got != want {
			t.Errorf("%s is read as %s, want %s", text, got, want)
		}
	}
}

// An operator who has not named the proxy is told so once, and not by strangers.
func TestAProxyThatNobodyHasNamed(t *testing.T) {
	t.Parallel()
	g, log := open(t, Settings{})
	g.Address(from("192.0.2.1:1", "X-Forwarded-For: 198.51.100.7"))
	if log.Len() > 0 {
		t.Errorf("a stranger has this logged: %s", log)
	}
	for range 3 {
		g.Address(from("10.0.0.1:1", "X-Forwarded-For: 198.51.100.7"))
	}
	if n := strings.Count(log.String(), "TRUSTED_PROXIES"); n != 1 {
		t.Errorf("said %d times: %s", n, log)
	}
}

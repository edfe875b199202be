package load

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args string
		want string // in the error; "" for none
	}{
		"the kind is enough":                 {args: "idle"},
		"all flags at once":                  {args: "rooms --url wss://x.example/realtime/v1 --key k --rooms 450 --members 21 --rate 0.5 --size 300 --burst 2 --duration 1m --vsn 1.0.0 --text --private --json --connect-rate 9"},
		"an unknown kind":                    {args: "flood", want: `must be idle, fanout, rooms or presence, got "flood"`},
		"no kind":                            {args: "", want: "the kind of load must be"},
		"a payload without room for a stamp": {args: "fanout --size 10", want: "--size must be at least 55, because"},
		"a payload without end":              {args: "fanout --size 9999999", want: "--size must be at most"},
		"a room for one":                     {args: "rooms --members 1", want: "nobody hears anybody"},
		"fewer than no connections":          {args: "idle --connections=-1", want: "--connections must be at least 1"},
		"too many connections":               {args: "rooms --rooms 1000000 --members 1000", want: "are too many"},
		"a rate below zero":                  {args: "fanout --rate=-2", want: "--rate must be above 0"},
		"a burst below zero":                 {args: "fanout --burst=-2", want: "--burst must be"},
		"a duration of nothing":              {args: "fanout --duration 1ns", want: "--duration must be"},
		"a connect rate below zero":          {args: "fanout --connect-rate=-1", want: "--connect-rate must be"},
		"a process below zero":               {args: "fanout --pid=-1", want: "--pid must be"},
		"a URL of another kind":              {args: "idle --url ftp://x", want: "--url must begin with"},
		"a URL without a host":               {args: "idle --url http:///x", want: "names no host"},
		"a URL that is none":                 {args: "idle --url http://[", want: "is not a URL"},
		"a version that does not exist":      {args: "idle --vsn 3", want: `must be one of "1.0.0","2.0.0"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cli struct {
				Bench Command `cmd:""`
			}
			k, err := kong.New(&cli)
			if err != nil {
				t.Fatal(err)
			}
			_, err = k.Parse(append([]string{"bench"}, strings.Fields(tt.args)...))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ url, host, path, addr string }{
		"a bare host has /socket": {"http://127.0.0.1:4000", "127.0.0.1:4000", "/socket/websocket?apikey=k&vsn=2.0.0", "127.0.0.1:4000"},
		"so has a slash":          {"ws://127.0.0.1/", "127.0.0.1", "/socket/websocket?apikey=k&vsn=2.0.0", "127.0.0.1:80"},
		"a path is kept":          {"https://127.0.0.1/realtime/v1", "127.0.0.1", "/realtime/v1/websocket?apikey=k&vsn=2.0.0", "127.0.0.1:443"},
		"a whole one is as it is": {"wss://127.0.0.1:1/a/websocket?x=1", "127.0.0.1:1", "/a/websocket?apikey=k&vsn=2.0.0&x=1", "127.0.0.1:1"},
		"below localhost is here": {"http://acme.localhost:4000/socket", "acme.localhost:4000", "/socket/websocket?apikey=k&vsn=2.0.0", "127.0.0.1:4000"},
		"an address of six":       {"http://[::1]:4000/socket", "[::1]:4000", "/socket/websocket?apikey=k&vsn=2.0.0", "[::1]:4000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to, err := parseTarget(tt.url, "k", "2.0.0")
			if err != nil {
				t.Fatal(err)
			}
			if err := to.resolve(t.Context()); err != nil {
				t.Fatal(err)
			}
			if to.host != tt.host || to.path != tt.path || to.addr.String() != tt.addr {
				t.Errorf("got %q %q %v", to.host, to.path, to.addr)
			}
		})
	}
}

func TestManyConnectionsComeFromSeveralAddresses(t *testing.T) {
	t.Parallel()
	local := target{addr: netip.MustParseAddrPort("127.0.0.1:4000")}
	far := target{addr: netip.MustParseAddrPort("192.0.2.1:4000")}
	if a := local.source(10); a.IsValid() {
		t.Errorf("the first connections come from %v", a)
	}
	if a, b := local.source(30_000), local.source(60_000); a == b || !a.IsLoopback() || !b.IsLoopback() {
		t.Errorf("connections 30,000 and 60,000 come from %v and %v", a, b)
	}
	if a := far.source(60_000); a.IsValid() {
		t.Errorf("a far server is reached from %v", a)
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	r := Report{
		Kind: Fanout, URL: "http://x", Connections: 1001, Joined: 1000, Interrupted: true, Seconds: 2,
		Connect:  Spread{Count: 1000, P50: 1.5, Max: 12_000},
		Messages: &Messages{Sent: 20, Expected: 20_000, Deliveries: 19_990, Lost: 10, PerSecond: 9995},
		Steps:    []Step{{Name: "track", Seconds: 0.5, Missing: 3}},
		LateBy:   Spread{P99: 80},
		Process:  &Usage{CPUSeconds: 1, Cores: 0.5, MicrosPerDelivery: 5.25, RSSAfter: 5e6},
		Failures: []Failure{{"handshake refused: 401 API key is missing", 1}},
	}
	var b bytes.Buffer
	if err := r.write(&b, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1,000 of 1,001 connections joined", "stopped early", "max 12.0 s", "9,995 deliveries/s", "10 of 20,000 (0.05 %)",
		"3 had not been seen after 0.500 s", "the load generator itself was late", "5.25 µs per delivery", "1 × handshake refused: 401 API key is missing",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &b)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -999: "-999"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestATallyHasAnEnd(t *testing.T) {
	t.Parallel()
	all := tally{}
	for i := range 1000 {
		all.add(strings.Repeat("x", i))
	}
	all.add("x")
	list := all.list()
	if len(list) != maxReasons+1 || list[0].Reason != "other reasons" || list[0].Count != 1000-maxReasons || list[1] != (Failure{"x", 2}) {
		t.Errorf("%d reasons, beginning with %v", len(list), list[:2])
	}
}

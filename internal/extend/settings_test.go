package extend

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestListsOfExtensionsThatCannotBe(t *testing.T) {
	t.Parallel()
	rooms := func(any, string) bool { return true }
	for name, tt := range map[string]struct {
		all  []tutti.Extension
		want string // part of the error, "" for none
	}{
		"none":                    {},
		"one":                     {all: []tutti.Extension{{Key: "band"}}},
		"a key with a dash":       {all: []tutti.Extension{{Key: "my-band"}}, want: "lower-case"},
		"no key":                  {all: []tutti.Extension{{}}, want: "lower-case"},
		"the type of a database":  {all: []tutti.Extension{{Key: "postgres_cdc_rls"}}, want: "not for extensions"},
		"the same twice":          {all: []tutti.Extension{{Key: "band"}, {Key: "band"}}, want: "two extensions"},
		"rooms that nobody opens": {all: []tutti.Extension{{Key: "band", Rooms: rooms}}, want: "opens none"},
		"a word for both sides": {
			all:  []tutti.Extension{{Key: "band", Events: func(string) bool { return true }, Reserved: []string{"song"}}},
			want: "reserved",
		},
		"a route that nobody serves": {all: []tutti.Extension{{Key: "band", Routes: []tutti.ExtensionRoute{{Method: "GET"}}}}, want: "serves"},
		"a route without its method": {all: []tutti.Extension{{Key: "band", Routes: []tutti.ExtensionRoute{{Path: "x"}}}}, want: "method"},
	} {
		err := Check(tt.all)
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPayloadOfAJoinIsShownWithoutTokens(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`{"config":{"private":true},"access_token":"secret","voice":"alto"}`: `{"config":{"private":true},"voice":"alto"}`,
		`{"user_token":"x"}`:                   `{}`,
		`{"\u0061ccess_token":"x","a":[1, 2]}`: `{"a":[1, 2]}`,
		``:                                     ``,
		`{"a":"` + strings.Repeat("x", maxJoin) + `"}`: ``,
	} {
		if got := string(withoutTokens([]byte(given))); got != want {
			t.Errorf("of %.60s is left %s, want %s", given, got, want)
		}
	}
}

// FuzzReceive shows that no message of another node does harm.
func FuzzReceive(f *testing.F) {
	r := newRoom(&Host{Log: slog.New(slog.DiscardHandler)}, place{"band", tutti.Topic{Tenant: "acme", Name: "band"}}, nil)
	for kind := range byte(msgLast + 1) {
		f.Add(r.message(kind, 7))
		f.Add(append(appendOccurrence(r.message(kind, 7), occurrence{id: "x", name: "e", payload: []byte("{}")}), 9))
		f.Add(appendPong(r.message(kind, 7), 1, 2, "two@1"))
		f.Add(appendChange(r.message(kind, 7), 1, change{id: "x", member: tutti.Member{ID: "x"}, joins: true}))
		f.Add(appendKept(r.message(kind, 7), &kept{state: []byte("{}"), term: 7}, 1000))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		s := newStage(t, "one", &node{web: &web{}})
		s.host.room(r.place, &s.host.Extensions[0])
		_ = s.host.Receive("two", message)
		_, _ = s.host.Answer(t.Context(), "two", message)
	})
}

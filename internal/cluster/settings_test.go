package cluster

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{{}}}
	for name, tt := range map[string]struct {
		s    Settings
		want string // part of the error, "" for none
	}{
		"the loopback is open":                 {s: Settings{Listen: "127.0.0.1:0"}},
		"the loopback of IPv6":                 {s: Settings{Listen: "[::1]:0"}},
		"a public address without anything":    {s: Settings{Listen: "0.0.0.0:7000"}, want: "needs TLS"},
		"every address":                        {s: Settings{Listen: ":7000"}, want: "needs TLS"},
		"a name may be any address":            {s: Settings{Listen: "node1:7000"}, want: "needs TLS"},
		"a public address with TLS only":       {s: Settings{Listen: "10.0.0.1:7000", TLS: config}, want: "needs TLS"},
		"a public address with a user only":    {s: Settings{Listen: "10.0.0.1:7000", User: "u", Password: "p"}, want: "needs TLS"},
		"a public address with both":           {s: Settings{Listen: "10.0.0.1:7000", User: "u", Password: "p", TLS: config}},
		"a private network, with a password":   {s: Settings{Listen: "0.0.0.0:7000", User: "u", Password: "p", Plain: true}},
		"a private network, without":           {s: Settings{Listen: "10.0.0.1:7000", Plain: true}, want: "the password"},
		"the internet, said to be private":     {s: Settings{Listen: "8.8.8.8:7000", User: "u", Password: "p", Plain: true}, want: "internet"},
		"TLS without a certificate":            {s: Settings{Listen: "127.0.0.1:0", TLS: &tls.Config{}}, want: "no certificate"},
		"a user without a password":            {s: Settings{Listen: "127.0.0.1:0", User: "u"}, want: "go together"},
		"no address":                           {s: Settings{}, want: "missing port"},
		"no port":                              {s: Settings{Listen: "127.0.0.1:http"}, want: "no number"},
		"NATS on this machine":                 {s: Settings{URL: "nats://127.0.0.1:4222"}},
		"NATS elsewhere, in the clear":         {s: Settings{URL: "nats://u:p@nats:4222"}, want: "nats:4222"},
		"NATS elsewhere, for everybody":        {s: Settings{URL: "tls://nats:4222"}, want: "needs TLS and credentials"},
		"NATS elsewhere, as it should be":      {s: Settings{URL: "tls://u:p@nats:4222,tls://u:p@nats2:4222"}},
		"one of several in the clear":          {s: Settings{URL: "tls://u:p@nats:4222,nats://u:p@nats2:4222"}, want: "nats2:4222"},
		"NATS elsewhere, on a private network": {s: Settings{URL: "nats://nats:4222", Plain: true}},
		"no URL":                               {s: Settings{URL: "::secret"}, want: "cannot be read"},
		"a node's name with a space":           {s: Settings{Node: "a b", Listen: "127.0.0.1:0"}, want: "name"},
		"buckets that are no power of two":     {s: Settings{Buckets: 1000, Listen: "127.0.0.1:0"}, want: "power of two"},
		"a node that is lost in no time":       {s: Settings{Lost: time.Millisecond, Listen: "127.0.0.1:0"}, want: "lost"},
		"a message without an end":             {s: Settings{MaxMessage: 1 << 30, Listen: "127.0.0.1:0"}, want: "64 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.s.Node == "" {
				tt.s.Node = "node1.example"
			}
			_, err := New(tt.s, nil)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells: %v", err)
			}
		})
	}
}

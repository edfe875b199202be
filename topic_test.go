package tutti_test

import (
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestTopicsOnTheWireAndInLogs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		topic     tutti.Topic
		wire, log string
	}{
		"a public one":  {tutti.Topic{Tenant: "acme", Name: "room"}, "realtime:room", "acme/room"},
		"a private one": {tutti.Topic{Tenant: "acme", Name: "room", Private: true}, "realtime:room", "acme-private/room"},
		"a bare one":    {tutti.Topic{Tenant: "acme", Name: "room:1", Bare: true}, "room:1", "acme-bare/room:1"},
		"one that is both": {
			tutti.Topic{Tenant: "acme", Name: "room", Private: true, Bare: true}, "room", "acme-private-bare/room",
		},
	} {
		if got := tt.topic.Wire(); got != tt.wire {
			t.Errorf("%s is %q on the wire", name, got)
		}
		if got := tt.topic.String(); got != tt.log {
			t.Errorf("%s is %q in logs", name, got)
		}
		cut, prefixed := tutti.CutTopic(tt.wire)
		if cut != tt.topic.Name || prefixed == tt.topic.Bare {
			t.Errorf("%s is read as %q, %v", name, cut, prefixed)
		}
	}
}

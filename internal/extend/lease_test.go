package extend

import (
	"testing"

	"github.com/tutti-realtime/tutti"
)

// Two rooms that shared a lease would wait for each other for ever.
func TestNoTwoRoomsShareALease(t *testing.T) {
	t.Parallel()
	seen := map[string]tutti.Topic{}
	for _, topic := range []tutti.Topic{
		{Tenant: "acme", Name: "band"}, {Tenant: "acme", Name: "band", Private: true}, {Tenant: "acme", Name: "band", Bare: true},
		{Tenant: "acme-private", Name: "band"}, {Tenant: "acme", Name: "realtime:band", Bare: false}, {Tenant: "acme", Name: "a/band"},
	} {
		p := place{key: "choir", topic: topic}
		if other, found := seen[p.lease()]; found {
			t.Errorf("%v and %v share %q", topic, other, p.lease())
		}
		seen[p.lease()] = topic
	}
}

package cluster_test

import (
	"reflect"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

func TestAClusterOfOneHearsWhatItPublishes(t *testing.T) {
	t.Parallel()
	var got []tutti.Message
	local := &cluster.Local{Arrive: func(m tutti.Message) { got = append(got, m) }}
	want := []tutti.Message{
		{Topic: tutti.Topic{Tenant: "acme", Name: "room"}, Event: "one", Payload: []byte("{}"), Sender: 7},
		{Topic: tutti.Topic{Tenant: "acme", Name: "room", Private: true}, Form: tutti.Binary, Event: "two"},
	}
	for _, m := range want {
		local.Publish(m)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
}

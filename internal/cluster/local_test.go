package cluster_test

import (
	"context"
	"errors"
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

func TestAClusterOfOneHasLeases(t *testing.T) {
	t.Parallel()
	local := &cluster.Local{Self: cluster.Member{ID: "a"}}
	ctx, cancel := context.WithCancel(t.Context())
	first, err := local.Hold(ctx, "x")
	if err != nil || !first.Valid() {
		t.Fatal(first, err)
	}
	next := make(chan *cluster.Lease)
	go func() {
		l, err := local.Hold(ctx, "x")
		if err != nil {
			t.Error(err)
		}
		next <- l
	}()
	if other, err := local.Hold(ctx, "y"); err != nil || !other.Valid() {
		t.Error(other, err)
	}
	first.Release()
	first.Release()
	second := <-next
	if first.Valid() || !second.Valid() || second.Term <= first.Term {
		t.Errorf("first %v in term %d, second %v in term %d", first.Valid(), first.Term, second.Valid(), second.Term)
	}
	cancel()
	if !second.Valid() {
		t.Error("the lease ended with the context of Hold")
	}
	if _, err := local.Hold(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hold of what another has: %v", err)
	}
	if m := local.Members(); len(m) != 1 || m[0].ID != "a" || !m[0].Self {
		t.Errorf("%+v", m)
	}
	if _, silent, err := local.Ask(ctx, "b", "count", nil); len(silent) != 1 || err != nil {
		t.Errorf("silent %v, %v", silent, err)
	}
	if err := local.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

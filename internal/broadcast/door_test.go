package broadcast_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/limit"
)

// A street remembers what came out of the door.
type street []string

func (s *street) Publish(m tutti.Message) { *s = append(*s, m.Event) }

func TestSizes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kilobytes int
		size      int
		fits      bool
	}{
		"nothing":                           {kilobytes: 1, size: 0, fits: true},
		"a kilobyte of a thousand":          {kilobytes: 1, size: 1000, fits: true},
		"all of the grace":                  {kilobytes: 1, size: 1500, fits: true},
		"a byte more":                       {kilobytes: 1, size: 1501},
		"all of what is allowed by default": {kilobytes: 3000, size: 3_000_500, fits: true},
		"a byte more than that":             {kilobytes: 3000, size: 3_000_501},
		"the grace of a limit of zero":      {kilobytes: 0, size: 500, fits: true},
		"a byte more than the grace":        {kilobytes: 0, size: 501},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenant := &tutti.Tenant{MaxPayloadSizeKB: tt.kilobytes}
			payload := make([]byte, tt.size)
			var out street
			door := &broadcast.Door{Publisher: &out}
			meters := (&limit.Meters{}).Of("acme")

			var want error
			published := []string{"note"}
			if !tt.fits {
				want, published = broadcast.ErrTooLarge, nil
			}
			if err := broadcast.Fits(tenant, payload); !errors.Is(err, want) {
				t.Errorf("it fits with %v, want %v", err, want)
			}
			if err := door.Send(tenant, meters, 0, tutti.Message{Event: "note", Payload: payload}); !errors.Is(err, want) {
				t.Errorf("it was sent with %v, want %v", err, want)
			}
			if !slices.Equal(out, published) {
				t.Errorf("published %q, want %q", out, published)
			}
			if n := meters.Events.Total(); n != 1 {
				t.Errorf("%d events were counted, want 1", n)
			}
		})
	}
}

func TestMessagesLeaveInOrderAndAllCount(t *testing.T) {
	t.Parallel()
	var out street
	door := &broadcast.Door{Publisher: &out}
	meters := (&limit.Meters{}).Of("acme")
	tenant := &tutti.Tenant{MaxPayloadSizeKB: 1}
	want := []string{"one", "two", "three"}
	for shard, event := range want {
		if err := door.Send(tenant, meters, shard, tutti.Message{Event: event}); err != nil {
			t.Fatal(err)
		}
		if err := door.Send(tenant, meters, shard, tutti.Message{Event: event, Payload: make([]byte, 2000)}); err == nil {
			t.Fatal("2000 bytes left")
		}
	}
	if !slices.Equal(out, want) {
		t.Errorf("published %q, want %q", out, want)
	}
	if n := meters.Events.Total(); n != 6 {
		t.Errorf("%d events were counted, want 6", n)
	}
	if n := meters.Joins.Total() + meters.Presence.Total() + meters.Requests.Total(); n != 0 {
		t.Errorf("%d other things were counted", n)
	}
}

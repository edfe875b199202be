package load

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// trio returns an audience of three clients in two topics.
func trio(url string) *Audience {
	payload := []byte(`{"config":{}}`)
	return &Audience{URL: url, Key: "k", ConnectRate: 10_000, Seats: []Seat{
		{"realtime:a", payload}, {"realtime:b", payload}, {"realtime:a", payload},
	}}
}

func TestAnAudienceHearsWhatIsSaidInItsTopics(t *testing.T) {
	t.Parallel()
	s := (&server{t: t}).start()
	a := trio(s.address)
	heard := map[int]int{}
	a.Hear = func(seat int, frame []byte, at time.Time) bool {
		if !bytes.Contains(frame, []byte("hello")) {
			return false
		}
		if age := time.Since(at); age < 0 || age > time.Minute {
			t.Errorf("a message came %v ago", age)
		}
		heard[seat]++
		return true
	}
	defer a.Close()
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.Joined() != 3 || a.Connect().Count != 3 || len(a.Failures()) != 0 {
		t.Fatalf("%d joined, failures: %v", a.Joined(), a.Failures())
	}
	said := a.Push(0, &phoenix.Frame{
		JoinRef: phoenix.Ref(joinRef), Ref: phoenix.Ref(`"2"`), Topic: []byte("realtime:a"), Event: phoenix.EventBroadcast,
		Payload: []byte(`{"type":"broadcast","event":"e","payload":"hello"}`),
	})
	if !said {
		t.Fatal("nobody there to push")
	}
	late := time.Now().Add(10 * time.Second)
	a.Pump(t.Context(), func(now time.Time) (time.Time, bool) {
		return now.Add(glance), heard[2] > 0 || now.After(late)
	})
	if heard[2] != 1 || heard[1] != 0 {
		t.Errorf("heard, by seat: %v", heard)
	}
}

func TestAnAudienceThatIsRefusedSaysWhy(t *testing.T) {
	t.Parallel()
	refusing := (&server{t: t, refuse: func(int) string { return "no" }}).start()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx      context.Context
		audience *Audience
	}{
		"no seats":           {t.Context(), &Audience{URL: refusing.address}},
		"no URL of a server": {t.Context(), &Audience{URL: "ftp://127.0.0.1", Seats: make([]Seat, 1)}},
		"refused by all":     {t.Context(), trio(refusing.address)},
		"given up":           {over, trio(refusing.address)},
	} {
		t.Run(name, func(t *testing.T) {
			defer tt.audience.Close()
			if err := tt.audience.Open(tt.ctx); err == nil {
				t.Error("it is open")
			}
		})
	}
}

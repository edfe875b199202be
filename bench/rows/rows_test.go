package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	got, err := parseStat([]byte("812 (post) gres: a) b) S 811 812 812 0 -1 4194560 9 9 9 9 150 50 300 100 20 0 1 0 55"))
	want := stat{parent: 811, own: 2 * time.Second, ended: 4 * time.Second}
	if err != nil || got != want {
		t.Errorf("parseStat = %+v, %v", got, err)
	}
	for name, text := range map[string]string{"nothing": "", "too little": "812 (a) S 811", "no number": "1 (a) S x 1 1 0 -1 1 9 9 9 9 1 1 1 1 1"} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%s is a stat", name)
		}
	}
}

// all returns every script that is played, in its long and its short form.
func all() (scripts []*script) {
	for _, make_ := range []func(bool) *script{
		idle, fanout, owner("auth.uid() = owner"), everyone("true"), filters(100), rooms, message, messages, large,
	} {
		scripts = append(scripts, make_(false), make_(true))
	}
	return scripts
}

func TestScripts(t *testing.T) {
	t.Parallel()
	for _, s := range all() {
		if s.warm%s.batch != 0 || s.total() <= s.warm || (s.total()-s.warm)%s.batch != 0 {
			t.Errorf("%s: %d changes, of which %d come first, in batches of %d", s.name, s.total(), s.warm, s.batch)
		}
		seats, err := s.seats()
		if err != nil || len(seats) == 0 {
			t.Errorf("%s: %d seats, %v", s.name, len(seats), err)
			continue
		}
		for _, seat := range seats {
			if !json.Valid(seat.Payload) || !strings.HasPrefix(seat.Topic, "realtime:") {
				t.Fatalf("%s: %s joins with %s", s.name, seat.Topic, seat.Payload)
			}
		}
		if s.users > 1 && string(seats[0].Payload) == string(seats[1].Payload) {
			t.Errorf("%s: two users have one token", s.name)
		}
		wanted := false
		for n := range min(s.total(), 2000) {
			for seat := range seats {
				wanted = wanted || s.wants(seat, n)
			}
		}
		if !wanted {
			t.Errorf("%s: nobody wants any change", s.name)
		}
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		result    result
		short     bool
		sustained bool
		holds     string
	}{
		"all came soon":                 {result: result{Latency: load.Spread{Count: 1, P99: 20}}, sustained: true, holds: "yes yes"},
		"one was lost":                  {result: result{Lost: 1, Latency: load.Spread{Count: 1}}, holds: "**no** yes"},
		"one came twice":                {result: result{Duplicates: 1, Latency: load.Spread{Count: 1}}, sustained: true, holds: "**no** yes"},
		"too late":                      {result: result{Latency: load.Spread{Count: 1, P99: 300}}, holds: "yes **no**"},
		"the writers could not keep up": {result: result{LateBy: load.Spread{P99: 900}, Latency: load.Spread{Count: 1}}, holds: "yes yes"},
		"nothing was measured":          {result: result{}, sustained: true, holds: "yes **no**"},
		"a short run says nothing":      {result: result{Lost: 1}, short: true, holds: "not measured not measured"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tt.result
			r.judge(&script{budgets: within(250)}, tt.short)
			if holds := r.Budgets[0].Holds + " " + r.Budgets[1].Holds; holds != tt.holds || r.Sustained != tt.sustained {
				t.Errorf("holds: %s, sustained: %t", holds, r.Sustained)
			}
		})
	}
}

func TestSharesOfTheProcessor(t *testing.T) {
	t.Parallel()
	r := result{Written: 1000, Identities: 100}
	r.spend(usage{Server: time.Second, Postgres: 2 * time.Second}, 4*time.Second)
	r.share()
	if r.Cores != (parties{0.25, 0.5, 0}) || r.PerChange != (parties{1000, 2000, 0}) || r.PerChangeIdentity != (parties{10_000, 20_000, 0}) {
		t.Errorf("cores %v, per change %v, per change and identity %v", r.Cores, r.PerChange, r.PerChangeIdentity)
	}
}

func TestChosen(t *testing.T) {
	t.Parallel()
	loads, err := (&bench{only: "large,idle"}).chosen()
	if err != nil || len(loads) != 2 || loads[0].name != "large" {
		t.Errorf("%d loads, %v", len(loads), err)
	}
	if _, err := (&bench{only: "idle,typo"}).chosen(); err == nil || !strings.Contains(err.Error(), `"typo"`) {
		t.Errorf("error = %v", err)
	}
	if loads, err := new(bench).chosen(); err != nil || len(loads) != len(names()) {
		t.Errorf("%d loads, %v", len(loads), err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	lost, stray := &result{Load: "a", Lost: 1}, &result{Load: "b", Strays: 1}
	if got := new(bench).faults([]*result{lost, stray}); len(got) != 1 {
		t.Errorf("a long run fails by %v", got)
	}
	if got := (&bench{short: true}).faults([]*result{lost, stray}); len(got) != 2 {
		t.Errorf("a short run fails by %v", got)
	}
}

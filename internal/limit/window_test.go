package limit

import (
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

func TestWindowAllows(t *testing.T) {
	type call struct {
		at   time.Duration
		want bool
	}
	for name, tt := range map[string]struct {
		max   int
		calls []call
	}{
		"the call after max is refused": {2, []call{{0, true}, {1, true}, {2, false}, {3, false}}},
		"the first call opens it, whenever it comes": {1, []call{
			{40 * time.Second, true}, {69 * time.Second, false}, {70 * time.Second, true}, {71 * time.Second, false},
		}},
		"a window that ended opens again only with a call": {2, []call{
			{0, true}, {50 * time.Second, true}, {61 * time.Second, true}, {79 * time.Second, false}, {80 * time.Second, true},
		}},
		"refused calls do not prolong it":                      {1, []call{{0, true}, {29 * time.Second, false}, {30 * time.Second, true}}},
		"a max of zero refuses all":                            {0, []call{{0, false}, {time.Hour, false}}},
		"a max below zero refuses all":                         {-1, []call{{0, false}}},
		"a clock that was set back does not lock the user out": {1, []call{{time.Hour, true}, {0, true}, {1, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			var w Window
			for _, c := range tt.calls {
				if got := w.Allow(start.Add(c.at), tt.max, 30*time.Second); got != c.want {
					t.Errorf("at %v: %v, want %v", c.at, got, c.want)
				}
			}
		})
	}
}

func TestWindowFollowsChangedSettings(t *testing.T) {
	var w Window
	now := time.Now()
	w.Allow(now, 1, time.Minute)
	if w.Allow(now, 1, time.Minute) {
		t.Error("the second call of one is allowed")
	}
	if !w.Allow(now, 2, time.Minute) {
		t.Error("a raised max is not in force at once")
	}
	if !w.Allow(now.Add(time.Second), 2, time.Second) {
		t.Error("a shortened period is not in force at once")
	}
}

func TestWindowMatchesANaiveList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(0, 5).Draw(t, "max")
		period := time.Duration(rapid.IntRange(1, 20).Draw(t, "period"))
		now := time.Unix(0, 0)
		var w Window
		var inside []time.Time // calls allowed since the window opened
		t.Repeat(map[string]func(*rapid.T){
			"call": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "wait")))
				if len(inside) > 0 && now.Sub(inside[0]) >= period {
					inside = nil
				}
				want := len(inside) < most
				if want {
					inside = append(inside, now)
				}
				if got := w.Allow(now, most, period); got != want {
					t.Fatalf("at %v with %v inside: %v, want %v", now, inside, got, want)
				}
			},
		})
	})
}

func TestWindowIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Window{}); size > 16 {
		t.Errorf("%d bytes for each channel, want at most 16", size)
	}
}

package music

import (
	"testing"

	"pgregory.net/rapid"
)

func TestMeters(t *testing.T) {
	t.Parallel()
	for text, groups := range map[string][]int{"4/4": nil, "7/8": {2, 2, 3}, "1/1": {1}, "32/32": nil, "12/8": {3, 3, 3, 3}} {
		m, err := ParseMeter(text, groups)
		if err != nil || m.String() != text {
			t.Errorf("%s %v is read as %v, %v", text, groups, m, err)
		}
		if again := wired(t, m); again != m {
			t.Errorf("%v comes back as %v", m, again)
		}
	}
	for _, text := range []string{"", "4", "/", "4/", "/4", "0/4", "33/4", "4/3", "4/0", "4/64", "4/4/4", " 4/4", "-4/4", "4.0/4", "256/4"} {
		if m, err := ParseMeter(text, nil); err == nil {
			t.Errorf("%q is read as %v", text, m)
		}
	}
	for name, groups := range map[string][]int{
		"too few": {2, 2}, "too many": {2, 2, 2, 2}, "empty": {0, 7}, "negative": {-1, 8}, "huge": {263}, "long": make([]int, 17),
	} {
		if m, err := ParseMeter("7/8", groups); err == nil {
			t.Errorf("%s groups are read as %v", name, m)
		}
	}
}

func TestAccents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Accent{
		"2+2+3": {Strong, Weak, Medium, Weak, Medium, Weak, Weak},
		"":      {Strong, Weak, Weak, Weak, Weak, Weak, Weak},
	} {
		var groups []int
		if text != "" {
			groups = []int{2, 2, 3}
		}
		m, err := ParseMeter("7/8", groups)
		if err != nil {
			t.Fatal(err)
		}
		for i, accent := range want {
			if got := m.Accent(i + 1); got != accent {
				t.Errorf("in 7/8 %s beat %d has accent %d, want %d", text, i+1, got, accent)
			}
		}
	}
}

// Bars follow each other without a gap: from a beat to the next the place moves
// by one, except where a mark says otherwise; and Line finds the first beat that
// is the first of its bar.
func TestBarsCount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRandomRoom()
		for range rapid.IntRange(1, 15).Draw(t, "commands") {
			r.step(t)
		}
		bars := r.clock.State.Bars
		marked := map[Beat]bool{}
		for _, m := range bars {
			marked[m.Beat] = true
			if p := bars.Place(m.Beat); p != (Place{m.Bar, m.InBar, m.Meter}) {
				t.Fatalf("at %+v the place is %+v", m, p)
			}
		}
		line := bars.Line(-20 * OneBeat)
		for b := -20 * OneBeat; b < bars[len(bars)-1].Beat+20*OneBeat; b += OneBeat {
			p := bars.Place(b + OneBeat/2)
			if b > line {
				line = bars.Line(b)
			}
			if (p.InBar == 1) != (b == line) {
				t.Fatalf("beat %d is %+v, and the next bar line is %d: %+v", b/OneBeat, p, line/OneBeat, bars)
			}
			if p.InBar < 1 || p.InBar > int(p.Meter.Beats) {
				t.Fatalf("beat %d is %+v", b/OneBeat, p)
			}
			next := Place{p.Bar, p.InBar + 1, p.Meter}
			if p.InBar == int(p.Meter.Beats) {
				next.Bar, next.InBar = p.Bar+1, 1
			}
			if got := bars.Place(b + OneBeat); got != next && !marked[b+OneBeat] {
				t.Fatalf("%+v is followed by %+v", p, got)
			}
		}
	})
}

package load

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestWindow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   []uint32
		want sighting // of the last
	}{
		"the first number is in order":                  {in: []uint32{0}, want: inOrder},
		"so is one after a hole":                        {in: []uint32{0, 5}, want: inOrder},
		"a number that fills the hole is late":          {in: []uint32{0, 2, 1}, want: late},
		"the same number is there again":                {in: []uint32{0, 0}, want: again},
		"a late number comes again, too":                {in: []uint32{0, 2, 1, 1}, want: again},
		"the oldest that is remembered may be late":     {in: []uint32{0, 64, 1}, want: late},
		"one that is older cannot be told":              {in: []uint32{0, 65, 1}, want: again},
		"a jump of more than the window forgets it all": {in: []uint32{0, 1000, 999}, want: late},
		"the largest number has a place":                {in: []uint32{1<<32 - 2, 1<<32 - 2}, want: again},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w window
			var got sighting
			for _, n := range tt.in {
				got = w.see(n)
			}
			if got != tt.want {
				t.Errorf("the last of %v is %d, want %d", tt.in, got, tt.want)
			}
		})
	}
}

func TestWhatIsNotAgainIsSeenOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOf(rapid.Uint32Range(0, 60)).Draw(t, "numbers")
		var w window
		var first []uint32
		for _, n := range numbers {
			known := slices.Contains(first, n)
			if got := w.see(n) == again; got != known {
				t.Fatalf("see(%d) again = %v, after %v", n, got, first)
			}
			first = append(first, n)
		}
	})
}

//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
)

// The same seed breaks the same things in the same order, and every kind has its
// turn before any comes again.
func TestAPlanIsRepeatable(t *testing.T) {
	t.Parallel()
	one, same, another := newPlan(7, 3, false), newPlan(7, 3, false), newPlan(8, 3, false)
	differ := false
	for range 5 {
		met := map[kind]bool{}
		for range kinds {
			f := one.next()
			if g := same.next(); f != g {
				t.Fatalf("the same seed plans %v and %v", f, g)
			}
			if f.kind == nodesCut && f.victim == f.other {
				t.Errorf("a node is cut from itself: %v", f)
			}
			differ = differ || another.next() != f
			met[f.kind] = true
		}
		if len(met) != len(kinds) {
			t.Errorf("of %d kinds of faults %d have their turn", len(kinds), len(met))
		}
	}
	if !differ {
		t.Error("another seed plans the same")
	}
	alone := newPlan(7, 1, true)
	for range 20 {
		if f := alone.next(); f.kind == nodesCut || f.kind == nodeAlone || f.victim != 0 {
			t.Errorf("one node alone suffers %v", f)
		}
	}
}

// What is not given back is said, whatever it is.
func TestFiguresNoticeWhatIsNotGivenBack(t *testing.T) {
	t.Parallel()
	before := figures{Goroutines: 70, Files: 24, Heap: 8 * mega, Memory: 40 * mega}
	for sentence, tt := range map[string]struct {
		leak func(*figures)
		want string
	}{
		"all is given back":        {func(*figures) {}, ""},
		"caches may keep a bit":    {func(f *figures) { f.Goroutines += 9; f.Files += 4; f.Heap += 5 * mega }, ""},
		"goroutines are leaked":    {func(f *figures) { f.Goroutines += 50 }, "goroutines"},
		"one connection is left":   {func(f *figures) { f.Connections++ }, "connections"},
		"descriptors are leaked":   {func(f *figures) { f.Files += 40 }, "open files"},
		"topics are left":          {func(f *figures) { f.Topics += 5 }, "topics"},
		"the heap has grown":       {func(f *figures) { f.Heap += 60 * mega }, "heap"},
		"the process is too large": {func(f *figures) { f.Memory += 200 * mega }, "resident"},
	} {
		now := before
		tt.leak(&now)
		err := before.compare(now)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s, and it says %v", sentence, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s, and it says %v", sentence, err)
		}
	}
}

func TestFiguresAreRead(t *testing.T) {
	t.Parallel()
	got := parseFigures("# HELP go_goroutines Number.\ngo_goroutines{id=\"a\",region=\"x\"} 71\nprocess_open_fds 24\n" +
		"go_memstats_heap_inuse_bytes{id=\"a\"} 8.388608e+06\nprocess_resident_memory_bytes 41943040\nphoenix_connections_active{id=\"a\"} 3\n")
	if want := (figures{Connections: 3, Goroutines: 71, Files: 24, Heap: 8 * mega, Memory: 40 * mega}); got != want {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

// Whoever is present and gone is noticed, and who is missing.
func TestCrowdsNoticeStuckPresences(t *testing.T) {
	t.Parallel()
	state := `{"ann":{"metas":[{"phx_ref":"1"}]},"bob":{"metas":[{"phx_ref":"2"}]}}`
	for sentence, tt := range map[string]struct {
		diffs []string
		right bool
	}{
		"all is right":                {nil, true},
		"one comes and goes":          {[]string{`{"joins":{"eve":{"metas":[{"phx_ref":"3"}]}},"leaves":{}}`, `{"joins":{},"leaves":{"eve":{"metas":[{"phx_ref":"3"}]}}}`}, true},
		"one comes and stays":         {[]string{`{"joins":{"eve":{"metas":[{"phx_ref":"3"}]}},"leaves":{}}`}, false},
		"one is there twice":          {[]string{`{"joins":{"bob":{"metas":[{"phx_ref":"3"}]}},"leaves":{}}`}, false},
		"one is missing":              {[]string{`{"joins":{},"leaves":{"bob":{"metas":[{"phx_ref":"2"}]}}}`}, false},
		"another one's leave is none": {[]string{`{"joins":{},"leaves":{"bob":{"metas":[{"phx_ref":"9"}]}}}`}, true},
	} {
		var c crowd
		c.take("presence_state", []byte(state))
		for _, d := range tt.diffs {
			c.take("presence_diff", []byte(d))
		}
		if what := c.differ([]string{"bob", "ann"}); (what == "") != tt.right {
			t.Errorf("%s, and it says %q", sentence, what)
		}
	}
}

func TestLessonsNoticeLostBeats(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for sentence, tt := range map[string]struct {
		beats   []int64 // that the second member hears
		late    float64 // ms by which his differ
		trouble bool
		want    promise
	}{
		"all is right":           {beats: []int64{1, 2, 3, 4}},
		"one is lost":            {beats: []int64{1, 2, 4}, want: beats},
		"one is lost in trouble": {beats: []int64{1, 2, 4}, trouble: true},
		"it begins anew":         {beats: []int64{1, 2, 3, 4}, late: 30_000, want: state},
		"times differ":           {beats: []int64{1, 2, 3, 4}, late: 20, want: unison},
	} {
		b := newBook()
		s := &stage{book: b, troubles: &account.Troubles{}}
		if tt.trouble {
			s.troubles.Begin("test", now, 1)
		}
		l := newLesson(s)
		for n := range int64(4) {
			l.note("ann", 0, beat{rev: 1, beat: n + 1}, 500*float64(n+1), now.Add(time.Duration(n+1)*500*time.Millisecond))
		}
		for _, n := range tt.beats {
			l.note("bob", 1, beat{rev: 1, beat: n}, 500*float64(n)+tt.late, now.Add(time.Duration(n)*500*time.Millisecond))
		}
		l.judge(b)
		for _, p := range []promise{beats, state, unison} {
			if broken := b.of(p).faults > 0; broken != (p == tt.want) {
				t.Errorf("%s, and %q is broken: %t (%v)", sentence, p, broken, b.of(p).said)
			}
		}
	}
}

// One broken promise makes a run red, and so does one that was never tried.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	tried := func() *book {
		b := newBook()
		for _, p := range needed {
			b.seen(p, 1)
		}
		return b
	}
	if lines := tried().lines(); failed(lines) {
		t.Errorf("all was kept, and the run has failed: %v", lines)
	}
	if !failed(newBook().lines()) {
		t.Error("nothing was tried, and the run is green")
	}
	for _, p := range order() {
		b := tried()
		b.seen(p, 1000)
		b.fault(p, "once")
		if !failed(b.lines()) {
			t.Errorf("%q was broken, and the run is green", p)
		}
		var text strings.Builder
		r := report{Lines: b.lines()}
		if err := r.write(&text, false); err != nil || !strings.Contains(text.String(), string(p)+": once") {
			t.Errorf("%q was broken, and the table does not say how: %v", p, err)
		}
	}
}

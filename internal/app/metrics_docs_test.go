package app

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// A documented metric is one that a running server exports.
type documented struct {
	kind, help string
	labels     []string // beside those of every sample
}

// everyMetric returns what a server exports, one of a cluster, with the classroom,
// of which everything has happened that is counted.
func everyMetric(t *testing.T) map[string]documented {
	t.Helper()
	n := severalNodes(t, 2, scrapable("eu", "eu"))
	acme := n[0].app.meters.Of("acme")
	for c := range tally.Counts {
		acme.Tally.Add(0, c, 1)
	}
	for m := range tally.Measures {
		acme.Tally.Observe(0, m, 1)
	}
	acme.Tally.Fail("Unauthorized")
	acme.Tally.Feed.Open.Store(true)
	n[0].join("ann", "t")
	all := map[string]documented{}
	for name, family := range parse(t, n[0].page("/metrics")) {
		all[name] = documented{kindOf(family), family.GetHelp(), labelsOf(family)}
	}
	runtime.KeepAlive(acme)
	for name, d := range described(n[0].app.metrics.registry.(*prometheus.Registry)) {
		if _, seen := all[name]; !seen { // it has not happened here
			all[name] = d
		}
	}
	maps.DeleteFunc(all, func(name string, _ documented) bool { return strings.HasPrefix(name, "tutti_choir_") }) // of the tests
	return all
}

func kindOf(f *dto.MetricFamily) string { return strings.ToLower(f.GetType().String()) }

func labelsOf(f *dto.MetricFamily) []string {
	found := map[string]bool{}
	for _, m := range f.Metric {
		for _, l := range m.Label {
			found[l.GetName()] = true
		}
	}
	for _, always := range []string{"region", "host", "id"} {
		delete(found, always)
	}
	return slices.Sorted(maps.Keys(found))
}

var descPattern = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "(.*?)"(?:, unit: "[^"]*")?, constLabels: \{.*\}, variableLabels: \{(.*)\}\}$`)

// described returns what rooms say they show.
func described(r *prometheus.Registry) map[string]documented {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		r.Describe(descs)
	}()
	all := map[string]documented{}
	for d := range descs {
		match := descPattern.FindStringSubmatch(d.String())
		if match == nil {
			continue
		}
		one := documented{kind: "gauge", help: match[2]}
		if strings.HasSuffix(match[1], "_total") {
			one.kind = "counter"
		}
		if match[3] != "" {
			one.labels = strings.Split(match[3], ",")
			slices.Sort(one.labels)
		}
		all[match[1]] = one
	}
	return all
}

// origins are where metrics come from, by the beginning of their names.
var origins = []struct{ title, prefixes string }{
	{"Of the reference", "realtime_ phoenix_"},
	{"Of this server", "tutti_"},
	{"Of extensions", "tutti_extension_ tutti_music_"},
}

// originOf returns the index of where a metric comes from: of several that fit,
// the longest.
func originOf(name string) (at int) {
	at, longest := -1, 0
	for i, o := range origins {
		for prefix := range strings.FieldsSeq(o.prefixes) {
			if strings.HasPrefix(name, prefix) && len(prefix) > longest {
				at, longest = i, len(prefix)
			}
		}
	}
	return at
}

// table writes the metrics as the document has them. What the client library shows
// of Go and of the process differs from one Go and system to the next, and is left
// out.
func table(t *testing.T, all map[string]documented) string {
	var b strings.Builder
	names := slices.SortedFunc(maps.Keys(all), func(x, y string) int {
		return cmp.Or(originOf(x)-originOf(y), cmp.Compare(x, y))
	})
	before := -1
	for _, name := range names {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		at, d := originOf(name), all[name]
		if at < 0 {
			t.Errorf("nobody knows where %s comes from", name)
			continue
		}
		if at != before {
			fmt.Fprintf(&b, "\n### %s\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", origins[at].title)
			before = at
		}
		labels := "`" + strings.Join(d.labels, "` `") + "`"
		if len(d.labels) == 0 {
			labels = ""
		}
		help := strings.NewReplacer("|", `\|`, "<", `\<`).Replace(d.help)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, d.kind, labels, help)
	}
	return b.String()
}

// TestReferencesOfMetrics compares docs/metrics.md with what a server exports.
// UPDATE_REFERENCES=1 (`make references`) writes it.
func TestReferencesOfMetrics(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../../docs/metrics.md", "<!-- made by `make references` -->\n", "\n<!-- end -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s lacks the lines %q and %q", path, begin, end)
	}
	made := table(t, everyMetric(t))
	if old == made {
		return
	}
	if os.Getenv("UPDATE_REFERENCES") == "" {
		t.Errorf("%s is not what a server exports: make references, or UPDATE_REFERENCES=1 go test -run TestReferencesOfMetrics ./internal/app", path)
	} else if err := os.WriteFile(path, []byte(before+begin+made+end+after), 0o600); err != nil {
		t.Error(err)
	}
}

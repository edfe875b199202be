package app

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A query is an expression of PromQL, and where it stands.
type query struct{ where, text string }

var (
	promText     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	promRange    = regexp.MustCompile(`\[[^]]*\]`)
	promGroups   = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	promSelector = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*\{([^}]*)\}`)
	promName     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
	promLabel    = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*`)
	promWords    = []string{"and", "or", "unless", "bool", "offset"}
)

// read returns the metrics that an expression names with the labels that it asks of
// each, and those that it groups by.
func (q query) read() (metrics map[string][]string, groups []string) {
	metrics = map[string][]string{}
	text := promRange.ReplaceAllString(promText.ReplaceAllString(q.text, `""`), "")
	text = promGroups.ReplaceAllStringFunc(text, func(s string) string {
		_, list, _ := strings.Cut(s, "(")
		groups = append(groups, promLabel.FindAllString(list, -1)...)
		return " "
	})
	text = promSelector.ReplaceAllStringFunc(text, func(s string) string {
		name, inner, _ := strings.Cut(s, "{")
		name = strings.TrimSpace(name)
		metrics[name] = append(metrics[name], promLabel.FindAllString(inner, -1)...)
		return " "
	})
	for _, name := range promName.FindAllString(text, -1) {
		if !strings.HasSuffix(name, "(") && !slices.Contains(promWords, strings.TrimSpace(name)) {
			metrics[strings.TrimSpace(name)] = append(metrics[strings.TrimSpace(name)], []string{}...)
		}
	}
	return metrics, groups
}

func TestQueriesAreRead(t *testing.T) {
	t.Parallel()
	metrics, groups := query{text: `topk(10, histogram_quantile(0.9, sum by (id, le) (rate(a_bucket{x=~"b c{", y!=""}[5m])))) > 2 or vector(0) and d / on (z) e`}.read()
	if got := fmt.Sprint(metrics, groups); got != "map[a_bucket:[x y] d:[] e:[]] [id le z]" {
		t.Errorf("got %s", got)
	}
}

// check reports what of a query a server does not export.
func (q query) check(t *testing.T, all map[string]documented) {
	t.Helper()
	metrics, groups := q.read()
	if len(metrics) == 0 || strings.Count(q.text, "(") != strings.Count(q.text, ")") {
		t.Errorf("%s: %q makes no sense", q.where, q.text)
	}
	known := []string{"region", "host", "id", "le", "job", "instance"}
	for name, labels := range metrics {
		if name == "up" { // Prometheus' own
			continue
		}
		d, found := all[name]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			family, cut := strings.CutSuffix(name, suffix)
			if one := all[family]; cut && (one.kind == "histogram" || one.kind == "summary") {
				d, found = one, true
			}
		}
		if !found {
			t.Errorf("%s: no server exports %s", q.where, name)
		}
		for _, label := range labels {
			if !slices.Contains(known[:6], label) && !slices.Contains(d.labels, label) {
				t.Errorf("%s: %s has no label %s", q.where, name, label)
			}
		}
		known = append(known, d.labels...)
	}
	for _, label := range groups {
		if !slices.Contains(known, label) {
			t.Errorf("%s: it is grouped by %s, which nothing in it has", q.where, label)
		}
	}
}

// A panel of a dashboard.
type panel struct {
	Title, Description, Type string
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct{ Expr string }
}

func dashboard(t *testing.T) (panels []panel, queries []query) {
	text, err := os.ReadFile("../../deploy/grafana/tutti.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels     []panel
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries = append(queries, query{"panel " + p.Title, target.Expr})
		}
	}
	for _, v := range d.Templating.List {
		if inner, is := strings.CutPrefix(v.Definition, "label_values("); is {
			at := strings.LastIndex(inner, ",")
			label := strings.TrimSpace(strings.TrimSuffix(inner[at+1:], ")"))
			queries = append(queries, query{"variable " + v.Name, "sum by (" + label + ") (" + inner[:at] + ")"})
		}
	}
	return d.Panels, queries
}

type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) (all []alert) {
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// What is delivered for Grafana and Prometheus asks for nothing that no server
// exports.
func TestDashboardAndAlertsNameWhatIsExported(t *testing.T) {
	t.Parallel()
	all := everyMetric(t)
	panels, queries := dashboard(t)
	for _, p := range panels {
		if p.Type != "row" && (p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0) {
			t.Errorf("panel %s lacks a description, a unit or a query", p.Title)
		}
	}
	for _, a := range alerts(t) {
		queries = append(queries, query{"alert " + a.Alert, a.Expr})
	}
	if len(queries) < 100 {
		t.Fatalf("there are only %d queries", len(queries))
	}
	for _, q := range queries {
		q.check(t, all)
	}
}

// Whoever is woken up by an alert reads what to do.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	operations := string(text)
	const heading, page = "## When something is wrong\n", "docs/operations.md#when-something-is-wrong"
	if !strings.Contains(operations, heading) {
		t.Errorf("docs/operations.md has no %q", heading)
	}
	seen := map[string]bool{}
	for _, a := range alerts(t) {
		if seen[a.Alert] || a.For == "" || a.Labels["severity"] != "critical" && a.Labels["severity"] != "warning" {
			t.Errorf("%s is there twice, or has no time or severity", a.Alert)
		}
		seen[a.Alert] = true
		n := a.Annotations
		if n["summary"] == "" || len(n["description"]) < 40 || !strings.HasSuffix(n["runbook_url"], page) {
			t.Errorf("%s lacks a summary, a description, or a link to %s", a.Alert, page)
		}
		if row := n["row"]; row != "" && !strings.Contains(operations, "| "+row+" |") {
			t.Errorf("%s: docs/operations.md has no row %q", a.Alert, row)
		}
	}
}

package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/tutti-realtime/tutti/internal/auth"
)

// parse reads a page of metrics as Prometheus does: each family once, with one
// HELP and one TYPE.
func parse(t testing.TB, page string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatalf("the page of metrics cannot be read: %v", err)
	}
	for _, word := range []string{"# HELP ", "# TYPE "} {
		seen := map[string]bool{}
		for line := range strings.Lines(page) {
			if after, found := strings.CutPrefix(line, word); found {
				name, _, _ := strings.Cut(after, " ")
				if seen[name] {
					t.Errorf("%s%s stands there twice", word, name)
				}
				seen[name] = true
			}
		}
	}
	return families
}

// sumOf sums up the samples of name, or of name{label="value"}.
func sumOf(t testing.TB, page, name string) int {
	name, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
	family := parse(t, page)[name]
	if family == nil {
		return 0
	}
	sum := 0.0
	for _, m := range family.Metric {
		if hasLabels(m, labels) {
			sum += valueOf(m)
		}
	}
	return int(sum)
}

// valueOf returns the number of a sample; of a histogram, how many values it has.
func valueOf(m *dto.Metric) float64 {
	return m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue() + float64(m.GetHistogram().GetSampleCount())
}

// hasLabels reports whether a sample has labels: a="b",c="d".
func hasLabels(m *dto.Metric, labels string) bool {
	for want := range strings.SplitSeq(labels, ",") {
		name, value, _ := strings.Cut(want, "=")
		if name != "" && labelOf(m, name) != strings.Trim(value, `"`) {
			return false
		}
	}
	return true
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// page returns what a path of the metrics answers.
func (s *script) page(path string) string {
	token, err := auth.Mint(metricsSecret, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		s.fatalf("%v", err)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.app.server.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.fatalf("%s answers %d", path, w.Code)
	}
	return w.Body.String()
}

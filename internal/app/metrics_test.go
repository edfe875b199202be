package app

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tutti-realtime/tutti/internal/cluster"
)

// scrapable lets tests read the metrics of nodes in regions.
func scrapable(regions ...string) func(*script) {
	next := 0
	return func(s *script) {
		s.flags = append(s.flags, "--metrics-jwt-secret="+metricsSecret, "--region="+regions[next])
		next++
	}
}

// scrapedNodes returns of each node whether its metrics are on a page.
func scrapedNodes(t *testing.T, page string) string {
	var nodes []string
	for _, m := range parse(t, page)["tutti_node_scraped"].GetMetric() {
		nodes = append(nodes, fmt.Sprintf("%s/%s=%v", labelOf(m, "region"), labelOf(m, "id"), valueOf(m)))
	}
	return strings.Join(nodes, " ")
}

// One page shows all nodes, another those of a region, a third the node that is
// asked; each is valid, and each sample says where it is from.
func TestMetricsAreThoseOfTheCluster(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 3, func() func(*script) {
		regions := scrapable("eu", "us", "eu")
		return func(s *script) { s.unlimited(); regions(s) }
	}())
	n[0].join("ann", "t")
	n[1].join("bob", "t")
	hear(n[0].client("ann"), n[1].client("bob"))
	for path, want := range map[string]string{
		"/metrics":               "eu/n0=1 us/n1=1 eu/n2=1",
		"/metrics?scope=node":    "eu/n0=1",
		"/metrics/eu":            "eu/n0=1 eu/n2=1",
		"/metrics/us":            "us/n1=1",
		"/metrics/us?scope=node": "eu/n0=1",
		"/metrics/nowhere":       "",
	} {
		page := n[0].page(path)
		if got := scrapedNodes(t, page); got != want {
			t.Errorf("%s shows %q, want %q", path, got, want)
		}
		for name, family := range parse(t, page) {
			for _, m := range family.Metric {
				if labelOf(m, "id") == "" || labelOf(m, "region") == "" || labelOf(m, "host") == "" {
					t.Errorf("%s: %s does not say where it is from: %v", path, name, m.Label)
				}
			}
		}
	}
	page := n[2].page("/metrics")
	for name, want := range map[string]int{
		"realtime_channel_joins":                                                   2,
		`realtime_channel_joins{id="n1"}`:                                          1,
		"realtime_connections_connected":                                           2,
		"phoenix_connections_active":                                               2,
		`phoenix_channel_joined_total{result="ok"}`:                                2,
		`realtime_payload_size{message_type="broadcast"}`:                          1,
		`tutti_join_seconds{visibility="public"}`:                                  2,
		`realtime_broadcast_global_fanout_node_delivery_total{id="n1",hit="true"}`: 1,
	} {
		if got := sumOf(t, page, name); got < want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
}

// stranger is a cluster of which the first node is this one, and whose others
// answer as they like.
func stranger(t *testing.T, reply ...cluster.Reply) (m *metrics, silent *[]string) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "up", Help: "one"}, func() float64 { return 1 }))
	silent = &[]string{}
	return &metrics{
		registry: registry, host: "here", patience: time.Second, log: slog.New(slog.DiscardHandler), turns: make(chan struct{}, 1),
		members: func() []cluster.Member {
			return []cluster.Member{{ID: "a", Self: true, Region: "eu"}, {ID: "b", Region: "eu"}, {ID: "c", Region: "us"}}
		},
		ask: func(context.Context, string, string, []byte) ([]cluster.Reply, []string, error) {
			return reply, *silent, nil
		},
	}, silent
}

func (m *metrics) ask1(path, region string) string {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.SetPathValue("region", region)
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w.Body.String()
}

// A node whose metrics do not come, or make no sense, is named, and the others'
// are there.
func TestNodesWithoutMetricsAreNamed(t *testing.T) {
	t.Parallel()
	name, help, kind := "up", "two", dto.MetricType_COUNTER
	other, err := encodeFamilies([]*dto.MetricFamily{{Name: &name, Help: &help, Type: &kind, Metric: []*dto.Metric{{Counter: &dto.Counter{Value: new(2.0)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, tt := range map[string]struct {
		reply  cluster.Reply
		silent []string
		want   string
	}{
		"one that fails":            {reply: cluster.Reply{Node: "b", Err: errors.New("no")}, want: "eu/a=1 eu/b=0"},
		"one that sends rubbish":    {reply: cluster.Reply{Node: "b", Payload: []byte("rubbish")}, want: "eu/a=1 eu/b=0"},
		"one that sends half":       {reply: cluster.Reply{Node: "b", Payload: other[:len(other)/2]}, want: "eu/a=1 eu/b=0"},
		"two that are silent":       {reply: cluster.Reply{Node: "d"}, silent: []string{"b", "c"}, want: "eu/a=1 eu/b=0 us/c=0"},
		"one of another type":       {reply: cluster.Reply{Node: "b", Payload: other}, want: "eu/a=1"},
		"one of another region":     {reply: cluster.Reply{Node: "b"}, want: "eu/a=1"},
		"one that has never a name": {reply: cluster.Reply{}, want: "eu/a=1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			m, silent := stranger(t, tt.reply)
			*silent = tt.silent
			page := m.ask1("/metrics", "")
			if got := scrapedNodes(t, page); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := sumOf(t, page, "up"); got != 1 {
				t.Errorf("up is %d", got)
			}
		})
	}
	m, silent := stranger(t)
	*silent = []string{"b", "c"}
	if got := scrapedNodes(t, m.ask1("/metrics/us", "us")); got != "us/c=0" {
		t.Errorf("of a region: %q", got)
	}
}

// Other nodes never have longer than the scraper waits.
func TestAScrapeEndsBeforeTheScraperDoes(t *testing.T) {
	t.Parallel()
	m := &metrics{patience: 5 * time.Second}
	for header, want := range map[string]time.Duration{"": 5 * time.Second, "10": 5 * time.Second, "1": 800 * time.Millisecond, "x": 5 * time.Second, "-1": 5 * time.Second} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", header)
		if got := m.deadline(r); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// Scrapers ask for compressed pages.
func TestMetricsAreCompressed(t *testing.T) {
	t.Parallel()
	m, _ := stranger(t)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", "br, gzip;q=1")
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	zip, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := io.Copy(&b, zip); err != nil {
		t.Fatal(err)
	}
	if sumOf(t, b.String(), "up") != 1 || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%v %s", w.Header(), b.String())
	}
}

// Labels of a room do not pass for those that say where a sample is from.
func TestLabelsOfRoomsGiveWay(t *testing.T) {
	t.Parallel()
	// The pairs are the room's own, which other scrapes read at the same time.
	theirs := append(make([]*dto.LabelPair, 0, 10), labelPair("id", "theirs"), labelPair("zone", "z"))
	m := &dto.Metric{Label: theirs}
	label(m, "eu", "here", "a")
	if theirs[0].GetName() != "id" || theirs[1].GetName() != "zone" {
		t.Errorf("the labels of the room became %v", theirs)
	}
	if labelOf(m, "id") != "a" || labelOf(m, "exported_id") != "theirs" || labelOf(m, "zone") != "z" {
		t.Errorf("%v", m.Label)
	}
}

package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// aCluster is the status of a node that hears another.
func aCluster() Status {
	began := time.Unix(0, 0).UTC()
	return Status{Version: "1", Started: began, Node: "a", Region: "eu", Cluster: &ClusterStatus{
		Name: "tutti", Lost: Milliseconds(5 * time.Second),
		Nodes: []NodeStatus{
			{ID: "a", Self: true, Started: began, Load: map[string]float64{"connections": 3}, RoundTrips: map[string]float64{"b": 1.25}},
			{
				ID: "b", Region: "us", Version: "2", Started: began, Addresses: []string{"b:4000"},
				RoundTrip: Milliseconds(1_234_567), Silent: Milliseconds(2 * time.Second), Missed: 4, Leaving: true,
			},
		},
		Bus: BusStatus{Sent: 9, SlowPeers: 1},
	}}
}

func TestTheStatusOfACluster(t *testing.T) {
	t.Parallel()
	n := newNode(func(a *API) {
		a.Status = aCluster
		a.Ready = func() error { return errors.New("draining") }
	})
	w := n.do(t, call{method: "GET", path: "/status", headers: bearing(token(t, metricsSecret, time.Hour))})
	const want = `{"version":"1","started":"1970-01-01T00:00:00Z","connections":0,"topics":0,"tenants":0,` +
		`"node":"a","region":"eu","ready":false,"reason":"draining","cluster":{"name":"tutti","lost_after_ms":5000,"nodes":[` +
		`{"id":"a","self":true,"started":"1970-01-01T00:00:00Z","silent_ms":0,"missed":0,"load":{"connections":3},"round_trips":{"b":1.25}},` +
		`{"id":"b","self":false,"region":"us","version":"2","started":"1970-01-01T00:00:00Z","addresses":["b:4000"],` +
		`"round_trip_ms":1.235,"silent_ms":2000,"missed":4,"leaving":true}],` +
		`"bus":{"sent":9,"received":0,"unwanted":0,"unsent":0,"missed":0,"late":0,"malformed":0,"unknown":0,"twins":0,"slow":0,` +
		`"disconnects":0,"slow_peers":1,"topics":0,"subscriptions":0,"routes":0,"leases":0}}}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d\n%s, want\n%s", w.Code, w.Body, want)
	}
}

func TestTheStatusPage(t *testing.T) {
	t.Parallel()
	built := fstest.MapFS{"status.html": {Data: []byte("<title>built</title>")}}
	for name, tt := range map[string]struct {
		change func(*API)
		cache  string
		want   []string
	}{
		"is the built one": {func(a *API) { a.Pages = built }, "no-cache", []string{"<title>built</title>"}},
		"is plain where it was not built": {func(a *API) {
			a.Status = func() Status { return Status{Version: "<b>", Connections: 7} }
		}, "no-store", []string{"<title>Tutti status</title>", "<td>&lt;b&gt;</td>", "<td>7</td>", "<td>yes</td>"}},
		"is plain without any pages": {func(a *API) {
			a.Pages, a.Status = nil, aCluster
			a.Ready = func() error { return errors.New("draining") }
		}, "no-store", []string{"<td>eu</td>", "<td>a, b</td>", "<td>no: draining</td>"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newNode(tt.change).do(t, call{method: "GET", path: "/status", headers: map[string]string{"Accept": "text/html,*/*;q=0.8"}})
			h := w.Header()
			if w.Code != 200 || h.Get("Vary") != "Accept" || h.Get("Cache-Control") != tt.cache ||
				h.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("got %d %v", w.Code, h)
			}
			for _, want := range tt.want {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("%q is not in %s", want, w.Body)
				}
			}
		})
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	drains := func(a *API) { a.Ready = func() error { return errors.New("draining") } }
	stands := func(a *API) { a.Alive = func(context.Context) error { return errors.New("a loop stands still") } }
	turns := func(a *API) { a.Alive = func(context.Context) error { return nil } }
	agrees := func(a *API) { a.Ready = func() error { return nil } }
	for name, tt := range map[string]struct {
		change       func(*API)
		method, path string
		status       int
		body         string
	}{
		"a process that runs is live":            {nil, "GET", "/health/live", 200, `{"live":true}`},
		"one that drains is live as well":        {drains, "GET", "/health/live", 200, `{"live":true}`},
		"one that has shown that it works":       {turns, "GET", "/health/live", 200, `{"live":true}`},
		"one that stands still is not live":      {stands, "GET", "/health/live", 503, `{"live":false}`},
		"who asks for the head of live":          {nil, "HEAD", "/health/live", 200, ""},
		"a node that nobody asks is ready":       {nil, "GET", "/health/ready", 200, `{"ready":true}`},
		"a node that says so is ready":           {agrees, "GET", "/health/ready", 200, `{"ready":true}`},
		"a node that drains is not ready":        {drains, "GET", "/health/ready", 503, `{"ready":false,"reason":"draining"}`},
		"who asks for the head hears the status": {drains, "HEAD", "/health/ready", 503, ""},
		"the gateway's prefix, live":             {nil, "GET", "/realtime/v1/health/live", 200, `{"live":true}`},
		"the gateway's prefix, ready":            {drains, "GET", "/realtime/v1/health/ready", 503, `{"ready":false,"reason":"draining"}`},
		"another method is not found":            {nil, "DELETE", "/health/ready", 404, "Not Found"},
		"the healthcheck stays as it is":         {drains, "GET", "/healthcheck", 200, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newNode(tt.change).do(t, call{method: tt.method, path: tt.path})
			if tt.method == "HEAD" {
				w.Body.Reset() // net/http does not send it
			}
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if strings.Contains(tt.path, "/health/") && tt.status != 404 && w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control is %q", w.Header().Get("Cache-Control"))
			}
		})
	}
}

func TestMillisecondsAreExactToTheMicrosecond(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0", 499: "0", 1500: "0.002", time.Microsecond: "0.001", 1_234_567: "1.235", time.Hour: "3600000", -time.Second: "-1000",
	} {
		if got, err := json.Marshal(Milliseconds(d)); err != nil || string(got) != want {
			t.Errorf("%v is %s (%v), want %s", d, got, err, want)
		}
	}
}

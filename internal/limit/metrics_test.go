package limit

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// scrape returns what Prometheus would get, by metric and tenant; "" for all
// tenants.
func scrape(t testing.TB, c prometheus.Collector) (values map[string]map[string]float64, text []byte) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	values = map[string]map[string]float64{}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
		of := map[string]float64{}
		values[f.GetName()] = of
		for _, m := range f.Metric {
			of[tenantOf(m)] += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values, b.Bytes()
}

func tenantOf(m *dto.Metric) string {
	for _, l := range m.Label {
		if l.GetName() == byTenant {
			return l.GetValue()
		}
	}
	return ""
}

// A tenant's metrics vanish with it; what it did stays in those of all.
func TestMetricsVanishWithTheTenant(t *testing.T) {
	t.Parallel()
	running(t, func(t *testing.T, m *Meters) {
		shown := NewMetrics(m, 10)
		acme := m.Of("acme")
		acme.Events.Add(0, 7)
		acme.Tally.Add(0, tally.InputBytes, 100)
		acme.Tally.Fail("Unauthorized")
		acme.EnterUser(1)
		values, _ := scrape(t, shown)
		for name, want := range map[string]float64{
			"realtime_channel_events": 7, "realtime_channel_input_bytes": 100, "realtime_channel_error": 1,
			"realtime_connections_connected": 1, "realtime_connections_connected_cluster": 1,
		} {
			if values[name]["acme"] != want {
				t.Errorf("%s is %v, want %v", name, values[name]["acme"], want)
			}
		}
		acme.LeaveUser()
		acme = nil
		pass((forgetAfter + 3*slowTick) * time.Second)
		collect()
		pass(time.Second)
		values, text := scrape(t, shown)
		if strings.Contains(string(text), "acme") || strings.Contains(string(text), OtherTenants) {
			t.Errorf("it is still there:\n%s", text)
		}
		for name, want := range map[string]float64{
			"realtime_channel_global_events": 7, "realtime_channel_global_input_bytes": 100,
			"realtime_channel_global_error": 1, "realtime_connections_global_connected": 0, "realtime_tenants_connected": 0,
		} {
			if values[name][""] != want {
				t.Errorf("%s is %v, want %v", name, values[name][""], want)
			}
		}
	})
}

// Whoever comes, goes or becomes busy: the tenants with metrics of their own are
// never too many, and no counter of "other" or of all goes back or loses or
// invents anything.
func TestCountersOfOthersNeverGoBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &Meters{}
		shown := NewMetrics(m, 3)
		held := map[string]*Tenant{}
		before, counted := 0.0, 0.0
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "other"}).Draw(rt, "tenant")
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0: // it is gone
				if e := m.entries[id]; e != nil && e.known.Value() != nil {
					e.books.addTo(&m.past)
					delete(m.entries, id)
					delete(held, id)
				}
			case 1: // places are given anew
				shown.list.chosen = time.Unix(1, 0)
			default:
				held[id] = m.Of(id)
				n := rapid.Int64Range(0, 50).Draw(rt, "events")
				held[id].Events.Add(0, n)
				counted += float64(n)
				for range slowTick {
					held[id].tick()
				}
			}
			values, _ := scrape(t, shown)
			of := values["realtime_channel_events"]
			if len(of) > 4 {
				rt.Fatalf("%d tenants are shown", len(of))
			}
			if of[OtherTenants] < before {
				rt.Fatalf("other goes back from %v to %v", before, of[OtherTenants])
			}
			before = of[OtherTenants]
			if total := values["realtime_channel_global_events"][""]; total != counted {
				rt.Fatalf("all have %v events, want %v", total, counted)
			}
		}
	})
}

// Who becomes busy gets the place of one who is not, after a while.
func TestTheBusiestAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &Meters{}
		shown := NewMetrics(m, 2)
		var kept []*Tenant
		add := func(id string, users int) {
			kept = append(kept, m.Of(id))
			for range users {
				m.Of(id).EnterUser(1 << 30)
			}
		}
		names := func() map[string]bool {
			values, _ := scrape(t, shown)
			found := map[string]bool{}
			for id := range values["realtime_connections_connected"] {
				found[id] = true
			}
			return found
		}
		add("quiet", 1)
		add("busy", 10)
		time.Sleep(2 * electEvery) // virtual
		names()
		add("busier", 15)
		add("barely", 1)
		if got := names(); !got["quiet"] || got["busier"] || !got[OtherTenants] {
			t.Errorf("a place is taken away at once: %v", got)
		}
		time.Sleep(electEvery) // virtual
		if got := names(); got["quiet"] || !got["busier"] || !got["busy"] || got["barely"] {
			t.Errorf("the busiest are not shown: %v", got)
		}
		values, _ := scrape(t, shown)
		if got := values["realtime_connections_connected"]; got[OtherTenants] != 2 || got["busier"] != 15 {
			t.Errorf("users: %v", got)
		}
		runtime.KeepAlive(kept)
	})
}

// A feed is shown while there is one.
func TestMetricsOfAFeed(t *testing.T) {
	t.Parallel()
	m := &Meters{}
	shown := NewMetrics(m, 10)
	acme, quiet := m.Of("acme"), m.Of("quiet")
	f := &acme.Tally.Feed
	f.Open.Store(true)
	f.Live.Store(true)
	f.LagBytes.Store(1000)
	f.Subscriptions.Store(5)
	f.Oldest.Store(time.Now().Add(-time.Minute).UnixNano())
	values, _ := scrape(t, shown)
	if values["tutti_feed_live"]["acme"] != 1 || values["tutti_feed_lag_bytes"]["acme"] != 1000 || values["realtime_subscriptions_manager_subscribers"]["acme"] != 5 ||
		values["tutti_feed_lag_seconds"]["acme"] < 59 || values["tutti_feed_worst_lag_seconds"][""] < 59 || values["tutti_feeds"][""] != 1 {
		t.Errorf("%v", values)
	}
	if _, shown := values["tutti_feed_live"]["quiet"]; shown {
		t.Error("a tenant without a feed has one")
	}
	runtime.KeepAlive(acme)
	runtime.KeepAlive(quiet)
}

// A server for ten thousand tenants can be scraped.
func TestTenThousandTenants(t *testing.T) {
	m, living := busy(10_000, tellNobody)
	shown := NewMetrics(m, 1000)
	for _, tenant := range living {
		tenant.Tally.Add(0, tally.InputBytes, 1)
		tenant.Tally.Add(0, tally.OutputBytes, 1)
		tenant.Tally.Observe(0, tally.BroadcastBytes, 300)
		tenant.Tally.Observe(0, tally.ReadCheck, 1000)
		tenant.Tally.Fail("Unauthorized")
	}
	scrape(t, shown) // the first chooses
	began := time.Now()
	values, text := scrape(t, shown)
	took := time.Since(began)
	var packed bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	_, _ = zip.Write(text)
	_ = zip.Close()
	t.Logf("%d bytes, %d compressed, %d lines, %v", len(text), packed.Len(), bytes.Count(text, []byte("\n")), took)
	of := values["realtime_channel_input_bytes"]
	// What was counted before a tenant got a place of its own stays with "other".
	if len(of) != 1001 || of[OtherTenants] != 10_000 {
		t.Errorf("%d tenants are shown, and other has %v", len(of), of[OtherTenants])
	}
	if len(text) > 20<<20 || took > 10*time.Second {
		t.Errorf("%d bytes in %v", len(text), took)
	}
}

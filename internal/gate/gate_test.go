package gate

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a gate with settings, and what it logs.
func open(t *testing.T, s Settings) (*Gate, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	return New(s, NewMetrics(prometheus.NewRegistry()), slog.New(slog.NewTextHandler(log, nil))), log
}

// from returns a request from an address, with headers "Name: value".
func from(remote string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://acme.example.com:4000/", nil)
	r.RemoteAddr = remote
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func refusedWith(err error, code string) bool {
	why, ok := errors.AsType[*Refusal](err)
	return ok && why.Code == code && why.Cause != "" && why.Error() == why.Code+": "+why.Cause
}

func (g *Gate) refusals(code string) float64 {
	var m dto.Metric
	_ = g.Metrics.refusals.WithLabelValues(code).Write(&m) // a counter cannot fail
	return m.GetCounter().GetValue()
}

// Rooms that are tested by themselves have no gate.
func TestNoGateLetsEverybodyIn(t *testing.T) {
	t.Parallel()
	var g *Gate
	r := from("192.0.2.1:1", "Origin: https://evil.example", "X-Forwarded-For: 198.51.100.1")
	g.Bad(r)
	leave, err := g.Desk(t.Context())
	if err != nil || g.Origin(r, nil) != nil || g.Patience(r) != nil || !g.Everybody(nil) {
		t.Error("somebody is refused")
	}
	leave()
	if a := g.Address(r); a.String() != "192.0.2.1" {
		t.Errorf("the address is %v", a)
	}
	body := g.Body(http.NoBody, func() error { return errors.New("unknown") })
	defer body.Release()
	if _, err := body.Read(make([]byte, 1)); err == nil || err.Error() != "EOF" {
		t.Errorf("a body without a gate: %v", err)
	}
}

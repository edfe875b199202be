package app

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/tutti-realtime/tutti/internal/cluster"
)

// maxPage is how many bytes the metrics of a node may have: a thousand tenants
// that do everything have 20 MB.
const maxPage = 64 << 20

// label adds the labels that each sample has, in the order of their names, as
// scrapers want it. Another that has the same name gives way: exported_id. The pairs
// that are there may be the metric's own for good, and are left as they are.
func label(m *dto.Metric, region, host, id string) {
	all := append(make([]*dto.LabelPair, 0, len(m.Label)+3), m.Label...)
	for i, l := range all {
		switch l.GetName() {
		case "region", "host", "id":
			all[i] = labelPair("exported_"+l.GetName(), l.GetValue())
		}
	}
	all = append(all, labelPair("region", region), labelPair("host", host), labelPair("id", id))
	slices.SortFunc(all, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	m.Label = all
}

func labelPair(name, value string) *dto.LabelPair {
	return &dto.LabelPair{Name: new(name), Value: new(strings.ToValidUTF8(value, "\uFFFD"))}
}

// scraped says whether a node has sent its metrics.
func scraped(yes float64, region, host, id string) *dto.MetricFamily {
	m := &dto.Metric{Gauge: &dto.Gauge{Value: &yes}}
	label(m, region, host, id)
	return &dto.MetricFamily{
		Name: new("tutti_node_scraped"), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{m},
		Help: new("1 for a node whose metrics are here, 0 for one that did not send them in time. Of that one only the id is known."),
	}
}

// A merger makes one page of those of several nodes: each family stands there
// once.
type merger map[string]*dto.MetricFamily

// add adds the families of a node. One that is of another type there, as of
// another release, is left out.
func (m merger) add(families []*dto.MetricFamily) {
	for _, f := range families {
		known := m[f.GetName()]
		switch {
		case known == nil:
			m[f.GetName()] = f
		case known.GetType() == f.GetType():
			known.Metric = append(known.Metric, f.Metric...)
		}
	}
}

// families returns all of them, by name.
func (m merger) families() []*dto.MetricFamily {
	all := make([]*dto.MetricFamily, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[name])
	}
	return all
}

// wire is how nodes send each other their metrics.
var wire = expfmt.NewFormat(expfmt.TypeProtoDelim)

// encodeFamilies writes metrics for another node.
func encodeFamilies(families []*dto.MetricFamily) ([]byte, error) {
	var b bytes.Buffer
	zip, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("write metrics: %w", err)
	}
	e := expfmt.NewEncoder(zip, wire)
	for _, f := range families {
		if err := e.Encode(f); err != nil {
			return nil, fmt.Errorf("write metrics: %w", err)
		}
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("write metrics: %w", err)
	}
	return b.Bytes(), nil
}

// decodeFamilies reads what another node has sent. Nothing is nothing.
func decodeFamilies(r cluster.Reply) (all []*dto.MetricFamily, err error) {
	if r.Err != nil || len(r.Payload) == 0 {
		return nil, r.Err
	}
	zip, err := gzip.NewReader(bytes.NewReader(r.Payload))
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	limited := &io.LimitedReader{R: zip, N: maxPage}
	d := expfmt.NewDecoder(limited, wire)
	for {
		f := &dto.MetricFamily{}
		err := d.Decode(f)
		if errors.Is(err, io.EOF) && limited.N > 0 {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read metrics: %w", err)
		}
		all = append(all, f)
	}
}

// writeFamilies writes the page in the form that the scraper likes best.
func writeFamilies(w http.ResponseWriter, r *http.Request, all []*dto.MetricFamily) {
	format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultAcceptedFormats()...)
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Cache-Control", "no-store")
	var out io.Writer = w
	if acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		zip, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is one
		defer func() { _ = zip.Close() }()               // the scraper has gone
		out = zip
	}
	e := expfmt.NewEncoder(out, format)
	for _, f := range all {
		if e.Encode(f) != nil {
			return // the scraper has gone
		}
	}
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if name, _, _ := strings.Cut(part, ";"); strings.TrimSpace(name) == "gzip" {
			return true
		}
	}
	return false
}

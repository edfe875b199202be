package api

import (
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/gate"
)

// Status is what a node tells anybody about itself, and about the nodes that it
// hears.
type Status struct {
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Connections int       `json:"connections"` // open WebSockets
	Topics      int       `json:"topics"`      // with at least one listener
	Tenants     int       `json:"tenants"`     // that did something lately

	Node   string `json:"node,omitempty"`
	Region string `json:"region,omitempty"`
	Ready  bool   `json:"ready"`            // set by the API, which asks API.Ready
	Reason string `json:"reason,omitempty"` // why it is not ready; set by the API

	Cluster *ClusterStatus `json:"cluster,omitempty"` // nil: a node that is alone
}

// ClusterStatus is the cluster as one node sees it.
type ClusterStatus struct {
	Name  string       `json:"name"`
	Lost  Milliseconds `json:"lost_after_ms,omitempty"` // a node that is silent for so long is none of them any more
	Nodes []NodeStatus `json:"nodes"`                   // this one first
	Bus   BusStatus    `json:"bus"`
}

// NodeStatus is a node of the cluster. What it says of itself is as old as its
// last heartbeat.
type NodeStatus struct {
	ID        string       `json:"id"`
	Self      bool         `json:"self"` // it is the node that answers
	Region    string       `json:"region,omitempty"`
	Version   string       `json:"version,omitempty"`
	Started   time.Time    `json:"started"`
	Addresses []string     `json:"addresses,omitempty"`     // where clients reach it; shown to those who run it
	RoundTrip Milliseconds `json:"round_trip_ms,omitempty"` // from here to it and back; 0 and not written when not known
	Silent    Milliseconds `json:"silent_ms"`               // since it was heard
	Missed    uint64       `json:"missed"`                  // messages that were lost on their way to it
	Leaving   bool         `json:"leaving,omitempty"`       // it drains

	// Load is numbers by name. The page shows connections, topics, tenants,
	// feeds_owned and feeds_followed by these names, and any other by its own.
	Load map[string]float64 `json:"load,omitempty"`
	// RoundTrips is what this node measures to others: id to milliseconds.
	RoundTrips map[string]float64 `json:"round_trips,omitempty"`
}

// BusStatus is what happened between the answering node and the others since it
// started. cluster.Stats says what each number means.
type BusStatus struct {
	Sent        uint64 `json:"sent"`
	Received    uint64 `json:"received"`
	Unwanted    uint64 `json:"unwanted"`
	Unsent      uint64 `json:"unsent"`
	Missed      uint64 `json:"missed"`
	Late        uint64 `json:"late"`
	Malformed   uint64 `json:"malformed"`
	Unknown     uint64 `json:"unknown"`
	Twins       uint64 `json:"twins"`
	Slow        uint64 `json:"slow"`
	Disconnects uint64 `json:"disconnects"`
	SlowPeers   uint64 `json:"slow_peers"`

	Topics        int `json:"topics"`
	Subscriptions int `json:"subscriptions"`
	Routes        int `json:"routes"`
	Leases        int `json:"leases"`
}

// Milliseconds is a time that is written as a JSON number of milliseconds, to
// the microsecond.
type Milliseconds time.Duration

// MarshalJSON writes the number.
func (m Milliseconds) MarshalJSON() ([]byte, error) {
	us := time.Duration(m).Round(time.Microsecond).Microseconds()
	return strconv.AppendFloat(nil, float64(us)/1000, 'f', -1, 64), nil
}

// statusFile is the page in Pages that shows the numbers as they change.
const statusFile = "status.html"

// statusPage is shown where the pages were not built.
var statusPage = template.Must(template.New("status").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Tutti status</title>
</head>
<body>
<h1>Tutti status</h1>
<table>
{{with .Node}}<tr><th scope="row">Node</th><td>{{.}}</td></tr>
{{end}}{{with .Region}}<tr><th scope="row">Region</th><td>{{.}}</td></tr>
{{end}}<tr><th scope="row">Version</th><td>{{.Version}}</td></tr>
<tr><th scope="row">Started</th><td>{{.Started.UTC.Format "2006-01-02 15:04:05 UTC"}}</td></tr>
<tr><th scope="row">Ready</th><td>{{if .Ready}}yes{{else}}no: {{.Reason}}{{end}}</td></tr>
<tr><th scope="row">Connections</th><td>{{.Connections}}</td></tr>
<tr><th scope="row">Topics</th><td>{{.Topics}}</td></tr>
<tr><th scope="row">Tenants</th><td>{{.Tenants}}</td></tr>
{{with .Cluster}}<tr><th scope="row">Nodes</th><td>{{range $i, $n := .Nodes}}{{if $i}}, {{end}}{{$n.ID}}{{end}}</td></tr>
{{end}}</table>
</body>
</html>
`))

// status shows the node's numbers as a page, or as JSON to whoever prefers it.
func (a *API) status(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if chosen, _ := negotiate(r.Header, "text/html", mediaJSON); chosen == mediaJSON {
		w.Header().Set("Cache-Control", "no-store")
		answer(w, http.StatusOK, a.numbersFor(r))
		return
	}
	data, err := a.file(statusFile)
	switch {
	case err == nil:
		serveFile(w, r, statusFile, data)
	case errors.Is(err, fs.ErrNotExist):
		a.statusPlain(w, r)
	default:
		a.fail(w, r, err)
	}
}

// statusPlain shows the numbers as of now, on a page without a script.
func (a *API) statusPlain(w http.ResponseWriter, r *http.Request) {
	var page strings.Builder
	if err := statusPage.Execute(&page, a.numbers()); err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	gate.Page(w.Header(), gate.Needs{})
	write(w, http.StatusOK, "text/html; charset=utf-8", []byte(page.String()))
}

// numbersFor returns the status for whoever asks: where nodes are is for those
// alone who run them.
func (a *API) numbersFor(r *http.Request) Status {
	now := a.numbers()
	if now.Cluster == nil || a.insider(r) {
		return now
	}
	shown := *now.Cluster
	shown.Nodes = slices.Clone(shown.Nodes)
	for i := range shown.Nodes {
		shown.Nodes[i].Addresses = nil
	}
	now.Cluster = &shown
	return now
}

// numbers returns the status, with what Ready says.
func (a *API) numbers() Status {
	now := a.Status()
	now.Ready, now.Reason = a.readiness()
	return now
}

package api

import (
	"html/template"
	"net/http"
	"strings"
	"time"
)

// Status is what a node tells anybody about itself.
type Status struct {
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Connections int       `json:"connections"` // open WebSockets
	Topics      int       `json:"topics"`      // with at least one listener
	Tenants     int       `json:"tenants"`     // that did something lately
}

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
<tr><th scope="row">Version</th><td>{{.Version}}</td></tr>
<tr><th scope="row">Started</th><td>{{.Started.UTC.Format "2006-01-02 15:04:05 UTC"}}</td></tr>
<tr><th scope="row">Connections</th><td>{{.Connections}}</td></tr>
<tr><th scope="row">Topics</th><td>{{.Topics}}</td></tr>
<tr><th scope="row">Tenants</th><td>{{.Tenants}}</td></tr>
</table>
</body>
</html>
`))

// status shows the node's numbers as a page, or as JSON to whoever prefers it.
func (a *API) status(w http.ResponseWriter, r *http.Request) {
	now := a.Status()
	w.Header().Set("Cache-Control", "no-store")
	if chosen, _ := negotiate(r.Header, "text/html", mediaJSON); chosen == mediaJSON {
		answer(w, http.StatusOK, now)
		return
	}
	var page strings.Builder
	if err := statusPage.Execute(&page, now); err != nil {
		a.fail(w, r, err)
		return
	}
	secure(w.Header())
	write(w, http.StatusOK, "text/html; charset=utf-8", []byte(page.String()))
}

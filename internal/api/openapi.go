package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"

	"github.com/tutti-realtime/tutti/internal/gate"
)

// openapiJSON describes every route; a test holds it against routes.
//
// Specification: https://spec.openapis.org/oas/v3.1.1.html
//
//go:embed openapi.json
var openapiJSON []byte

func (a *API) openapi(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, "application/json; charset=utf-8", openapiJSON)
}

var documentationPage = template.Must(template.New("documentation").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Tutti HTTP interface</title>
</head>
<body>
<h1>Tutti HTTP interface</h1>
<p>{{.Info.Description}} <a href="/api/openapi">The whole document</a> is OpenAPI.</p>
{{range $path, $methods := .Paths}}<h2><code>{{$path}}</code></h2>
<dl>
{{range $method, $operation := $methods}}<dt><code>{{$method}}</code> {{$operation.Summary}}</dt>
{{range $status, $response := $operation.Responses}}<dd>{{$status}}: {{$response.Description}}</dd>
{{end}}{{end}}</dl>
{{end}}</body>
</html>
`))

// A description is as much of an OpenAPI document as the page shows.
type description struct {
	Info  struct{ Description string }
	Paths map[string]map[string]operation
}

type operation struct {
	Summary   string
	Responses map[string]response
}

type response struct {
	Description string
	Ref         string `json:"$ref"` // where it is described instead, or ""
}

// describe reads openapi.json. Methods are in capitals.
func describe() (d description, err error) {
	var document struct {
		Info  struct{ Description string }
		Paths map[string]map[string]json.RawMessage

		Components struct{ Responses map[string]response }
	}
	if err := json.Unmarshal(openapiJSON, &document); err != nil {
		return d, err
	}
	d.Info, d.Paths = document.Info, make(map[string]map[string]operation)
	for path, methods := range document.Paths {
		d.Paths[path] = make(map[string]operation)
		for method, raw := range methods {
			if method == "parameters" {
				continue
			}
			var o operation
			if err := json.Unmarshal(raw, &o); err != nil {
				return d, err
			}
			for status, answer := range o.Responses {
				if name, shared := strings.CutPrefix(answer.Ref, "#/components/responses/"); shared {
					o.Responses[status] = document.Components.Responses[name]
				}
			}
			d.Paths[path][strings.ToUpper(method)] = o
		}
	}
	return d, nil
}

// documentation shows openapi.json to people, without a script.
func (a *API) documentation(w http.ResponseWriter, r *http.Request) {
	d, err := describe()
	if err != nil {
		a.fail(w, r, err)
		return
	}
	var page bytes.Buffer
	if err := documentationPage.Execute(&page, d); err != nil {
		a.fail(w, r, err)
		return
	}
	gate.Page(w.Header(), gate.Needs{})
	write(w, http.StatusOK, "text/html; charset=utf-8", page.Bytes())
}

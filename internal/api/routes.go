package api

import (
	"net/http"

	"github.com/tutti-realtime/tutti/internal/trace"
)

// A route is a path that the server answers to a method.
type route struct {
	method, path string
	serve        http.HandlerFunc
	gateway      bool // under the gateway's prefix as well
	undocumented bool // not in openapi.json, because browsers find it by themselves
}

// routes lists the routes but for the WebSocket's and those of the pages. Each
// is in openapi.json.
func (a *API) routes() []route {
	list := []route{
		{method: "GET", path: "/api/ping", serve: a.ping, gateway: true},
		{method: "GET", path: "/api/openapi", serve: a.openapi, gateway: true},
		{method: "GET", path: "/swaggerui", serve: a.documentation},
		{method: "GET", path: "/healthcheck", serve: healthcheck},
		{method: "GET", path: "/health/live", serve: a.live, gateway: true},
		{method: "GET", path: "/health/ready", serve: a.ready, gateway: true},
		{method: "GET", path: "/status", serve: a.status},
		{method: "GET", path: "/inspector", serve: toConsole, undocumented: true},
		{method: "GET", path: "/inspector/new", serve: toConsole, undocumented: true},
	}
	list = append(list, a.shared("/api/broadcast", a.batch)...)
	list = append(list, a.shared("/api/broadcast/{topic}/events/{event}", a.single)...)
	list = append(list, extended(a, a.Extensions)...)
	if a.Metrics != nil {
		list = append(list,
			route{method: "GET", path: "/metrics", serve: a.metrics},
			route{method: "GET", path: "/metrics/{region}", serve: a.metrics})
	}
	if a.Management != nil {
		g := &registrar{API: a, Management: a.Management, turn: make(chan struct{}, 1)}
		list = append(list, g.routes()...)
	}
	return list
}

// shared returns the routes of a broadcast that pages of other origins may call.
func (a *API) shared(path string, send func(*http.Request, http.Header) error) []route {
	post := func(w http.ResponseWriter, r *http.Request) {
		a.allowOrigin(w.Header(), r)
		w.Header().Set("X-Request-Id", trace.Request(r.Context()))
		release, err := a.knock(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		defer release()
		if err := send(r, w.Header()); err != nil {
			a.fail(w, r, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
	return []route{
		{method: "OPTIONS", path: path, serve: a.preflight, gateway: true, undocumented: true},
		{method: "POST", path: path, serve: post, gateway: true},
	}
}

// routes lists the routes of the tenants API. Gateways of hosted stacks block
// them under the prefix; here whoever has the token is as good there.
func (g *registrar) routes() []route {
	const all, one = "/api/tenants", "/api/tenants/{id}"
	list := []route{
		{method: "GET", path: all, serve: g.open(g.list)},
		{method: "POST", path: all, serve: g.open(g.upsert)},
		{method: "GET", path: one, serve: g.open(g.one)},
		{method: "PUT", path: one, serve: g.open(g.upsert)},
		{method: "PATCH", path: one, serve: g.open(g.upsert)},
		{method: "DELETE", path: one, serve: g.open(g.delete)},
		{method: "POST", path: one + "/reload", serve: g.open(g.operation("reload", g.Reload))},
		{method: "POST", path: one + "/shutdown", serve: g.open(g.operation("shutdown", g.Shutdown))},
		{method: "GET", path: one + "/health", serve: g.open(g.health)},
		{method: "POST", path: one + "/disconnect", serve: g.open(g.clients("disconnect", "disconnected", g.Disconnect))},
		{method: "POST", path: one + "/reauthorize", serve: g.open(g.clients("reauthorize", "reauthorized", g.Reauthorize))},
	}
	for i := range list {
		list[i].gateway = true
	}
	return list
}

package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/extend"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// errNoExtension is what a tenant's client is told that has not got an extension.
var errNoExtension = &Refusal{http.StatusNotFound, "The project does not have this extension"}

// extended returns the routes of extensions.
func extended(a *API, host *extend.Host) (list []route) {
	if host == nil {
		return nil
	}
	for i := range host.Extensions {
		e := &host.Extensions[i]
		methods := map[string][]string{} // by path
		for _, r := range e.Routes {
			path := "/api/extensions/" + e.Key + strings.TrimSuffix("/"+strings.Trim(r.Path, "/"), "/")
			methods[path] = append(methods[path], r.Method)
			list = append(list, route{method: r.Method, path: path, gateway: true, undocumented: true, serve: a.extension(host, e, r)})
		}
		for path, all := range methods {
			list = append(list, route{method: "OPTIONS", path: path, gateway: true, undocumented: true, serve: a.preflightOf(all)})
		}
	}
	return list
}

// preflightOf is preflight for some methods.
func (a *API) preflightOf(methods []string) http.HandlerFunc {
	slices.Sort(methods)
	allowed := strings.Join(slices.Compact(methods), ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Methods", allowed)
		a.preflightFor(w, r)
	}
}

// extension serves a route of an extension to those who have a token of a tenant
// that has it. What it panics with is its own affair: see guard.
func (a *API) extension(host *extend.Host, e *tutti.Extension, r tutti.ExtensionRoute) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		a.allowOrigin(w.Header(), request)
		w.Header().Set("X-Request-Id", trace.Request(request.Context()))
		release, err := a.knock(request)
		if err != nil {
			a.fail(w, request, err)
			return
		}
		defer release()
		asked, err := a.extensionRequest(host, e, w, request)
		if err != nil {
			a.fail(w, request, err)
			return
		}
		r.Serve(w, request, asked)
	}
}

func (a *API) extensionRequest(host *extend.Host, e *tutti.Extension, w http.ResponseWriter, r *http.Request) (*tutti.ExtensionRequest, error) {
	c, err := a.admit(r, w.Header())
	if err != nil {
		return nil, err
	}
	settings, on := host.Settings(c.tenant, e)
	if !on {
		return nil, errNoExtension
	}
	asked := &tutti.ExtensionRequest{Tenant: c.tenant.ExternalID, Settings: settings, Claims: c.token.Claims}
	if host.Databases == nil {
		return asked, nil
	}
	if e.Migrations != nil {
		if err := host.Databases.Prepare(r.Context(), c.tenant, e); err != nil {
			if reason, ok := errors.AsType[*tutti.Error](err); ok {
				return nil, &Refusal{http.StatusServiceUnavailable, reason.Error()}
			}
			return nil, err
		}
	}
	asked.Database = host.Databases.Of(func() *tutti.Tenant { return c.tenant })
	return asked, nil
}

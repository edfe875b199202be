package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// mostListed is the largest page of tenants that can be asked for.
const mostListed = 1000

// A listAnswer is the answer to GET /api/tenants.
type listAnswer struct {
	Data []tenantJSON `json:"data"`
	Next string       `json:"next,omitempty"` // parameter "after" of the next page
}

// list shows tenants: all of them, as the reference does, or the page that the
// parameters ask for.
func (g *registrar) list(w http.ResponseWriter, v *visit) error {
	query, paged, err := listQuery(v.Request)
	if err != nil {
		return err
	}
	result := listAnswer{Data: []tenantJSON{}}
	for {
		page, err := g.Registry.List(v.Context(), query)
		if err != nil {
			return fmt.Errorf("list tenants: %w", err)
		}
		for _, t := range page.Tenants {
			shown, err := g.show(t)
			if err != nil {
				return err
			}
			result.Data = append(result.Data, shown)
		}
		if paged {
			result.Next = page.Next
		}
		if paged || page.Next == "" {
			answer(w, http.StatusOK, result)
			return nil
		}
		query.After = page.Next
	}
}

// listQuery reads the parameters of a list, and whether they ask for a page.
func listQuery(r *http.Request) (q tutti.TenantQuery, paged bool, err error) {
	wrong := faults{}
	given := r.URL.Query()
	q.Search, q.After = given.Get("search"), given.Get("after")
	if !storable(q.Search) {
		wrong.add("search", notValid)
	}
	if !storable(q.After) {
		wrong.add("after", notValid)
	}
	if given.Has("limit") {
		q.Limit, err = strconv.Atoi(given.Get("limit"))
		if err != nil || q.Limit < 1 || q.Limit > mostListed {
			wrong.add("limit", fmt.Sprintf("must be a number from 1 to %d", mostListed))
		}
	}
	switch given.Get("suspend") {
	case "":
	case "true", "false":
		suspended := given.Get("suspend") == "true"
		q.Suspended = &suspended
	default:
		wrong.add("suspend", notValid)
	}
	if len(wrong) > 0 {
		return q, false, wrong
	}
	return q, q.Limit > 0, nil
}

// one shows a tenant.
func (g *registrar) one(w http.ResponseWriter, v *visit) error {
	t, err := g.tenant(v)
	if err != nil {
		return err
	}
	return g.answerTenant(w, http.StatusOK, t)
}

func (g *registrar) answerTenant(w http.ResponseWriter, status int, t *tutti.Tenant) error {
	shown, err := g.show(t)
	if err != nil {
		return err
	}
	answer(w, status, map[string]any{"data": shown})
	return nil
}

// upsert creates the tenant of a request, or changes those of its fields that
// are given. Its id is the one in the path, if there is one.
func (g *registrar) upsert(w http.ResponseWriter, v *visit) error {
	fields, err := tenantFields(v.Request)
	if err != nil {
		return err
	}
	id := v.PathValue("id")
	if id == "" {
		raw, _ := phoenix.Lookup(fields, "external_id")
		var fault string
		if id, fault = text(raw); fault != "" {
			return faults{"external_id": []string{fault}}
		}
	}
	if !storable(id) {
		return faults{"external_id": []string{notValid}}
	}
	before, after, err := g.put(v.Context(), id, fields)
	if err != nil {
		return err
	}
	action, status := "update", http.StatusOK
	if before == nil {
		action, status = "create", http.StatusCreated
	}
	g.changed(v, action, id, tenant.ChangedFields(before, after))
	w.Header().Set("Location", "/api/tenants/"+identity(after))
	return g.answerTenant(w, status, after)
}

// tenantFields returns the object under the key "tenant" of a request's body.
func tenantFields(r *http.Request) (json.RawMessage, error) {
	body, mediaType, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if !isJSON(mediaType) {
		return nil, bare(http.StatusBadRequest)
	}
	fields, _ := phoenix.Lookup(body, "tenant")
	if absent(fields) || fields[0] != '{' {
		return nil, bare(http.StatusBadRequest)
	}
	return fields, nil
}

// put stores what fields make of a tenant. The tenants it returns are those of
// the store, before and after; before is nil for a new one.
func (g *registrar) put(ctx context.Context, id string, fields json.RawMessage) (before, after *tutti.Tenant, err error) {
	if err := g.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer g.unlock()
	before, err = g.Registry.Find(ctx, id)
	if err != nil && !errors.Is(err, tutti.ErrNoTenant) {
		return nil, nil, fmt.Errorf("find tenant %q: %w", id, err)
	}
	wanted, err := g.Defaults.Revise(before, id, fields, time.Now())
	if err != nil {
		return nil, nil, err
	}
	if _, err := g.Registry.Put(ctx, wanted); err != nil {
		return nil, nil, fmt.Errorf("store tenant %q: %w", id, err)
	}
	g.refresh(ctx, id)
	after, err = g.Registry.Find(ctx, id)
	if err != nil {
		return nil, nil, fmt.Errorf("find tenant %q again: %w", id, err)
	}
	return before, after, nil
}

// delete removes a tenant. That it was not there is no error.
func (g *registrar) delete(w http.ResponseWriter, v *visit) error {
	ctx, id := v.Context(), v.PathValue("id")
	if !storable(id) {
		w.WriteHeader(http.StatusNoContent) // such a tenant cannot be
		return nil
	}
	if err := g.lock(ctx); err != nil {
		return err
	}
	defer g.unlock()
	existed, err := g.Registry.Delete(ctx, id)
	if err != nil {
		return fmt.Errorf("delete tenant %q: %w", id, err)
	}
	if existed {
		g.refresh(ctx, id)
		g.changed(v, "delete", id, nil)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// refresh puts a change in force on this node. It is stored, so that it did not
// reach the directory now is no failure of the request: that looks by itself.
func (g *registrar) refresh(ctx context.Context, id string) {
	if err := g.Tenants.Refresh(ctx, id); err != nil {
		g.Log.WarnContext(ctx, "changed tenant is not in force yet", "tenant", id, "err", err)
	}
}

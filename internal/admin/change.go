package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

const (
	blank   = "can't be blank"
	unknown = "is unknown"
)

// A createRequest is a new tenant.
type createRequest struct {
	ID       string                     `json:"external_id"`
	Name     string                     `json:"name"`
	Secret   string                     `json:"jwt_secret"` // made when there is none
	Postgres *postgresRequest           `json:"postgres"`   // nil: no database
	Limits   map[string]json.RawMessage `json:"limits"`
}

// A postgresRequest is a tenant's database.
type postgresRequest struct {
	Host     string `json:"host"`
	Port     int    `json:"port"` // 0 is 5432
	Name     string `json:"name"`
	User     string `json:"user"`
	Password string `json:"password"`
	SSL      bool   `json:"ssl"`
}

// shortestSecret is how long a secret must be that is given, in bytes.
const shortestSecret = 32

// isLabel reports whether a text can be the first label of a host, as a tenant's id
// must be.
func isLabel(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 63 && s[0] != '-'
}

// fields returns what is asked for as the tenants API has it.
func (q *createRequest) fields(wrong map[string][]string) map[string]any {
	switch {
	case q.ID == "":
		wrong["external_id"] = []string{blank}
	case !isLabel(q.ID):
		wrong["external_id"] = []string{"must be at most 63 of a-z, 0-9, - and _, since it is the first label of the tenant's host"}
	}
	if !storable(q.Name) {
		wrong["name"] = []string{"is invalid"}
	}
	if q.Secret != "" && len(q.Secret) < shortestSecret {
		wrong["jwt_secret"] = []string{fmt.Sprintf("should be at least %d byte(s)", shortestSecret)}
	}
	fields := map[string]any{"jwt_secret": q.Secret, "extensions": []any{}}
	if q.Postgres != nil {
		fields["extensions"] = []any{map[string]any{"type": tenant.DatabaseExtension, "settings": q.Postgres.settings(wrong)}}
	}
	addLimits(fields, q.Limits, wrong)
	return fields
}

func (p *postgresRequest) settings(wrong map[string][]string) map[string]any {
	if p.Port == 0 {
		p.Port = 5432
	}
	for name, value := range map[string]string{"host": p.Host, "name": p.Name, "user": p.User, "password": p.Password} {
		if value == "" {
			wrong["postgres."+name] = []string{blank}
		}
	}
	if p.Port < 1 || p.Port > 65535 {
		wrong["postgres.port"] = []string{"must be a number from 1 to 65535"}
	}
	return map[string]any{
		"db_host": p.Host, "db_port": strconv.Itoa(p.Port), "db_name": p.Name, "db_user": p.User, "db_password": p.Password,
		"ssl_enforced": p.SSL, "region": "us-east-1", // which is what a self-hosted tenant gets
	}
}

// addLimits puts limits into fields, and notes those that there are not.
func addLimits(fields map[string]any, limits map[string]json.RawMessage, wrong map[string][]string) {
	for name, value := range limits {
		if !isLimit(name) {
			wrong["limits."+name] = []string{unknown}
			continue
		}
		fields[name] = value
	}
}

// A createAnswer is shown once, when a tenant is made.
type createAnswer struct {
	Tenant  tenantView `json:"tenant"`
	Secret  string     `json:"secret"`
	Anon    string     `json:"anon_key"`
	Service string     `json:"service_key"`
	URL     string     `json:"url"`
	Snippet string     `json:"snippet"`
}

func (c *Console) create(w http.ResponseWriter, v *visit) error {
	if !c.Writable {
		return errReadOnly
	}
	var q createRequest
	if err := readBody(v, &q); err != nil {
		return err
	}
	if q.Secret == "" {
		q.Secret = newSecret()
	}
	wrong := map[string][]string{}
	fields := q.fields(wrong)
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	t, err := c.store(v.Context(), q.ID, fields, func(before, after *tutti.Tenant) error {
		if before != nil {
			return &Fault{
				Status: http.StatusConflict, Code: "TenantExists", Message: "There is a tenant with this id already",
				Cure: "Choose another id, or change that tenant", Fields: map[string][]string{"external_id": {"has already been taken"}},
			}
		}
		if q.Name != "" {
			after.Name = q.Name
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.note(v, "create", q.ID)
	a := createAnswer{Tenant: show(t, limit.Load{}, nil), Secret: q.Secret, URL: c.urlOf(v.Request, q.ID)}
	a.Snippet = snippet(a.URL)
	if a.Anon, err = mint(q.Secret, "anon", "", tenYears); err == nil {
		a.Service, err = mint(q.Secret, "service_role", "", tenYears)
	}
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, a)
	return nil
}

// newSecret returns 256 random bits in hexadecimal.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// store makes or changes a tenant: look sees what is there, nil for nothing, and what
// is to be, and may change that or refuse it. It returns the tenant as it is stored.
func (c *Console) store(ctx context.Context, id string, fields map[string]any, look func(before, after *tutti.Tenant) error) (*tutti.Tenant, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write the fields of tenant %q: %w", id, err)
	}
	if err := c.lock(ctx); err != nil {
		return nil, err
	}
	defer c.unlock()
	before, err := c.Registry.Find(ctx, id)
	if err != nil && !errors.Is(err, tutti.ErrNoTenant) {
		return nil, fmt.Errorf("find tenant %q: %w", id, err)
	}
	after, err := c.Defaults.Revise(before, id, text, time.Now())
	if err != nil {
		return nil, err
	}
	if err := look(before, after); err != nil {
		return nil, err
	}
	if _, err := c.Registry.Put(ctx, after); err != nil {
		return nil, fmt.Errorf("store tenant %q: %w", id, err)
	}
	c.refresh(ctx, id)
	return after, nil
}

// lock waits for the turn to change tenants: fields are put over what is there, so
// two at once would undo each other.
func (c *Console) lock(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Console) unlock() { <-c.turn }

// refresh puts a change in force on this node. It is stored, so that it is no failure
// when the directory cannot look now: it looks by itself.
func (c *Console) refresh(ctx context.Context, id string) {
	if err := c.Directory.Refresh(ctx, id); err != nil {
		c.Log.Warn("changed tenant is not in force yet", "tenant", id, "err", err)
	}
}

// A changeRequest is what becomes of a tenant; what is not given stays.
type changeRequest struct {
	Name    *string                    `json:"name"`
	Suspend *bool                      `json:"suspend"`
	Limits  map[string]json.RawMessage `json:"limits"`
}

func (c *Console) change(w http.ResponseWriter, v *visit) error {
	if !c.Writable {
		return errReadOnly
	}
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	var q changeRequest
	if err := readBody(v, &q); err != nil {
		return err
	}
	fields, wrong := map[string]any{}, map[string][]string{}
	if q.Name != nil {
		fields["name"] = *q.Name
	}
	if q.Suspend != nil {
		fields["suspend"] = *q.Suspend
	}
	addLimits(fields, q.Limits, wrong)
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	var changed []string
	after, err := c.store(v.Context(), t.ExternalID, fields, func(before, after *tutti.Tenant) error {
		if before == nil {
			return errNoTenant // deleted a moment ago
		}
		changed = tenant.ChangedFields(before, after)
		return nil
	})
	if err != nil {
		return err
	}
	c.note(v, "update", t.ExternalID, slog.Any("fields", changed))
	views, err := c.views(v.Context(), []*tutti.Tenant{after}, map[string]limit.Load{t.ExternalID: c.Meters.Load(t.ExternalID)})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"tenant": views[0]})
	return nil
}

func (c *Console) remove(w http.ResponseWriter, v *visit) error {
	if !c.Writable {
		return errReadOnly
	}
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	var q struct {
		Confirm string `json:"confirm"`
	}
	if err := readBody(v, &q); err != nil {
		return err
	}
	if q.Confirm != t.ExternalID {
		return invalid(map[string][]string{"confirm": {"must be the tenant's id"}})
	}
	ctx := v.Context()
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	existed, err := c.Registry.Delete(ctx, t.ExternalID)
	if err != nil {
		return fmt.Errorf("delete tenant %q: %w", t.ExternalID, err)
	}
	if !existed {
		return errNoTenant
	}
	c.refresh(ctx, t.ExternalID)
	c.note(v, "delete", t.ExternalID)
	answer(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}

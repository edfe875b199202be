package admin

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/doctor"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// tenant finds the tenant that the path of a request names.
func (c *Console) tenant(v *visit) (*tutti.Tenant, error) {
	return c.named(v.Context(), v.PathValue("id"))
}

func (c *Console) named(ctx context.Context, id string) (*tutti.Tenant, error) {
	if id == "" || !storable(id) {
		return nil, errNoTenant
	}
	t, err := c.Registry.Find(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("find tenant %q: %w", id, err)
	}
	return t, nil
}

// A tenantDetail is a tenant with all that is known of it.
type tenantDetail struct {
	tenantView
	Extensions []string   `json:"extensions"`
	Slots      []slotView `json:"slots"`
	SlotsError string     `json:"slots_error,omitempty"` // why they are not known
	Health     Health     `json:"health"`
	Series     *series    `json:"series"`
}

// A slotView is a replication slot in a tenant's database.
type slotView struct {
	Name      string `json:"name"`
	Active    bool   `json:"active"`
	Ours      bool   `json:"ours"` // this server reads it
	WALStatus string `json:"wal_status"`
	Retained  int64  `json:"retained_bytes"`
	Lag       int64  `json:"confirmed_lag_bytes"`
}

func (c *Console) getTenant(w http.ResponseWriter, v *visit) error {
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	views, err := c.views(v.Context(), []*tutti.Tenant{t}, map[string]limit.Load{t.ExternalID: c.Meters.Load(t.ExternalID)})
	if err != nil {
		return err
	}
	d := tenantDetail{tenantView: views[0], Extensions: []string{}, Slots: []slotView{}, Health: c.Health(v.Context(), t)}
	for _, e := range t.Extensions {
		d.Extensions = append(d.Extensions, e.Type)
	}
	if d.Series, err = c.seriesOf(v.Context(), t.ExternalID); err != nil {
		return err
	}
	d.addSlots(c.slots(v.Context(), t))
	answer(w, http.StatusOK, d)
	return nil
}

// addSlots shows the slots, and how far behind the one is that this server reads.
func (d *tenantDetail) addSlots(s *shot) {
	if s == nil {
		return
	}
	d.Slots = append(d.Slots, s.slots...)
	d.SlotsError = s.failure
	for i := range s.slots {
		if s.slots[i].Ours && d.Feed != nil && d.Feed.LagBytes == nil {
			d.Feed.LagBytes = &s.slots[i].Lag
		}
	}
}

// A shot is the slots of a tenant's database as they were a moment ago.
type shot struct {
	at       time.Time
	settings tutti.Database
	slots    []slotView
	failure  string
	done     chan struct{} // closed when it is taken
}

// A shelf keeps shots for some seconds, so that the pages of many operators ask a
// database no more often than one.
type shelf struct {
	mu    sync.Mutex // guards shots; nothing is called under it
	shots map[string]*shot
}

const (
	shotAge   = 5 * time.Second
	shotTime  = 4 * time.Second // that a database has for its answer
	mostShots = 1000
)

// slots returns the slots of a tenant's database, nil when it has none.
func (c *Console) slots(ctx context.Context, t *tutti.Tenant) *shot {
	settings, has, err := tenant.Database(t)
	if !has {
		return nil
	}
	if err != nil {
		return &shot{failure: "the tenant's " + err.Error()}
	}
	s, mine := c.shots.get(t.ExternalID, settings)
	if mine {
		c.take(ctx, s)
		close(s.done)
		return s
	}
	select {
	case <-s.done:
		return s
	case <-ctx.Done():
		return &shot{failure: "the database has not answered yet"}
	}
}

// get returns a shot that is not old, or a new one that the caller has to take.
func (s *shelf) get(id string, settings tutti.Database) (found *shot, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found = s.shots[id]
	if found != nil && time.Since(found.at) < shotAge && found.settings == settings {
		return found, false
	}
	if s.shots == nil || len(s.shots) >= mostShots {
		s.shots = map[string]*shot{}
	}
	found = &shot{at: time.Now(), settings: settings, done: make(chan struct{})}
	s.shots[id] = found
	return found, true
}

// take takes a shot.
func (c *Console) take(ctx context.Context, s *shot) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shotTime) // others wait for it as well
	defer cancel()
	db, err := postgres.OpenDatabase(s.settings)
	if err != nil {
		s.failure = err.Error()
		return
	}
	defer db.Close()
	ours := s.settings.SlotName(c.SlotSuffix)
	slots, err := db.Slots(ctx, ours)
	if err != nil {
		s.failure = "the database gives no answer: the doctor says more"
		return
	}
	for _, one := range slots {
		s.slots = append(s.slots, slotView{one.Name, one.Active, one.Name == ours, one.WalStatus, one.Retained, one.Unconfirmed})
	}
}

// A check is what the doctor says of one thing.
type check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warning or failed
	Text   string `json:"text"`
	Cure   string `json:"cure"`
	Code   string `json:"code"`
}

// doctor examines the database of a tenant, from this node.
func (c *Console) doctor(w http.ResponseWriter, v *visit) error {
	t, err := c.named(v.Context(), v.URL.Query().Get("tenant"))
	if err != nil {
		return err
	}
	checks := []check{}
	settings, has, err := tenant.Database(t)
	switch {
	case err != nil:
		checks = append(checks, check{"settings", "failed", "the tenant's " + err.Error(), "correct the tenant's settings", tutti.DatabaseSettingsInvalid})
	case !has:
		checks = append(checks, check{Name: "database", Status: "ok",
			Text: "the tenant has no database: Broadcast and Presence on public channels need none"})
	default:
		report := doctor.Examine(v.Context(), settings, settings.SlotName(c.SlotSuffix))
		for _, f := range report.Findings {
			status := string(f.Status)
			if f.Status == doctor.Problem {
				status = "failed"
			}
			checks = append(checks, check{f.What, status, f.Said, f.Cure, ""})
		}
	}
	answer(w, http.StatusOK, map[string]any{"checks": checks})
	return nil
}

func (c *Console) health(w http.ResponseWriter, v *visit) error {
	t, err := c.tenant(v)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"data": c.Health(v.Context(), t)})
	return nil
}

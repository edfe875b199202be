package extend

import (
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A catalog is what tenants say about extensions, read once for each *tutti.Tenant.
type catalog struct {
	mu      sync.RWMutex // guards tenants
	tenants map[string]*entry
}

// An entry is one tenant's extensions, by their place in Host.Extensions.
type entry struct {
	tenant *tutti.Tenant
	list   []subscription
}

// A subscription is an extension of a tenant.
type subscription struct {
	on       bool
	settings any
	err      error // in the settings: the extension is off
}

// settings returns what a tenant says about an extension, and whether the tenant
// has it.
func settings(e *tutti.Extension, t *tutti.Tenant) (s subscription) {
	given := map[string]any{}
	s.on = e.Everywhere
	for i := range t.Extensions {
		if t.Extensions[i].Type == e.Key {
			s.on = true
			if t.Extensions[i].Settings != nil {
				given = t.Extensions[i].Settings
			}
		}
	}
	if !s.on {
		return s
	}
	if s.settings, s.err = e.Read(given); s.err != nil {
		return subscription{err: s.err}
	}
	return s
}

// of returns the extensions of a tenant as it is.
func (h *Host) of(t *tutti.Tenant) *entry {
	c := &h.catalog
	c.mu.RLock()
	known := c.tenants[t.ExternalID]
	c.mu.RUnlock()
	if known != nil && known.tenant == t {
		return known
	}
	fresh := &entry{tenant: t, list: make([]subscription, len(h.Extensions))}
	for i := range h.Extensions {
		s := settings(&h.Extensions[i], t)
		fresh.list[i] = s
		if s.err != nil && (known == nil || known.list[i].err == nil || known.list[i].err.Error() != s.err.Error()) {
			h.Log.Error("an extension is off for a tenant, its settings are wrong", "code", tutti.ExtensionSettingsInvalid,
				"tenant", t.ExternalID, "extension", h.Extensions[i].Key, "err", s.err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tenants == nil {
		c.tenants = map[string]*entry{}
	}
	c.tenants[t.ExternalID] = fresh
	return fresh
}

// Settings returns what a tenant says about an extension, false when it has not
// got it.
func (h *Host) Settings(t *tutti.Tenant, e *tutti.Extension) (any, bool) {
	for i := range h.Extensions {
		if &h.Extensions[i] == e || h.Extensions[i].Key == e.Key {
			s := h.of(t).list[i]
			return s.settings, s.on
		}
	}
	return nil, false
}

// Bare reports whether a topic without "realtime:" is a room.
func (h *Host) Bare(t *tutti.Tenant, name string) bool {
	e := h.match(t, tutti.Topic{Tenant: t.ExternalID, Name: name, Bare: true})
	return e != nil
}

// match returns the first extension whose room a topic is, nil if it is none's.
func (h *Host) match(t *tutti.Tenant, topic tutti.Topic) *tutti.Extension {
	if len(h.Extensions) == 0 {
		return nil
	}
	list := h.of(t).list
	for i := range list {
		e := &h.Extensions[i]
		if list[i].on && e.Rooms != nil && (e.Bare || !topic.Bare) && h.isRoom(e, list[i].settings, topic.Name) {
			return e
		}
	}
	return nil
}

func (h *Host) isRoom(e *tutti.Extension, settings any, name string) (yes bool) {
	defer h.rescue(e)
	return e.Rooms(settings, name)
}

// linger returns how long a room is remembered.
func (h *Host) linger(e *tutti.Extension, t *tutti.Tenant) (d time.Duration) {
	d = standardLinger
	if e.Linger == nil || t == nil {
		return d
	}
	s, on := h.Settings(t, e)
	if !on {
		return d
	}
	defer h.rescue(e)
	return max(0, e.Linger(s))
}

// rescue is deferred around what an extension is asked outside of its rooms.
func (h *Host) rescue(e *tutti.Extension) {
	if fault := recover(); fault != nil {
		h.panicked(h.Log.With("extension", e.Key), fault)
	}
}

// panicked logs a panic, where it was caught.
func (h *Host) panicked(log *slog.Logger, fault any) {
	h.panics.Add(1)
	log.Error("an extension panicked", "code", tutti.ExtensionPanicked, "err", fault, "stack", string(debug.Stack()))
}

// TenantChanged is told of every change of a tenant; after is nil when it was
// deleted. Rooms of extensions that it has no more are closed.
func (h *Host) TenantChanged(id string, after *tutti.Tenant) {
	if after == nil {
		h.catalog.mu.Lock()
		delete(h.catalog.tenants, id)
		h.catalog.mu.Unlock()
	}
	for _, r := range h.all() {
		if r.topic.Tenant != id {
			continue
		}
		if after != nil && h.match(after, r.topic) == r.extension {
			continue
		}
		r.refuseAll(&tutti.Error{Reason: "the extension " + r.key + " was switched off"})
	}
}

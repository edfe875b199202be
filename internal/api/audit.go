package api

import (
	"log/slog"
	"strings"

	"github.com/tutti-realtime/tutti/internal/trace"
)

// changed logs that somebody changed something about a tenant: its fields by
// their names, never what is in them.
func (g *registrar) changed(v *visit, action, id string, fields []string) {
	log := g.Audit
	if log == nil {
		log = g.Log
	}
	trace.Of(v.Context()).Tenant(id)
	log.LogAttrs(v.Context(), slog.LevelInfo, "tenant managed",
		slog.String("who", v.who), slog.String("action", action), slog.String("tenant", id),
		slog.String("fields", strings.Join(fields, ",")),
		slog.String("remote", v.RemoteAddr), slog.String("request", v.requestID))
}

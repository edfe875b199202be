package api

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/url"
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

// bearerName returns whose token this is, by its claims "sub" or "iss"; "" when
// it says neither. The token has been verified already.
func bearerName(token string) string {
	const most = 200 // bytes in the log
	if plain, err := url.PathUnescape(token); err == nil {
		token = plain
	}
	parts := strings.Split(strings.Join(strings.Fields(token), ""), ".")
	if len(parts) != 3 {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims map[string]any
	if json.Unmarshal(raw, &claims) != nil {
		return ""
	}
	for _, name := range []string{"sub", "iss"} {
		if s, ok := claims[name].(string); ok && s != "" {
			return strings.ToValidUTF8(s[:min(len(s), most)], "")
		}
	}
	return ""
}

package socket

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/trace"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A refusal is a handshake that fails. Protocol, section 1.4.
type refusal struct {
	status int
	text   string
	code   string // for log and metrics

	// Of refusals that the reference has not: they show their code as well.
	cure  string        // shown when there is one
	after time.Duration // when to come again, and nobody waits for the backoff; 0 is not said
}

// ServeHTTP is the handshake: it checks who is asking, and takes the connection
// over. Refusals wait for the backoff, so that clients that retry at once do no
// harm.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	version, ok := version(r)
	if !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if s.tooLong(r.Header) {
		w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	if s.draining.Load() {
		s.sendAway(w, r)
		return
	}
	began := time.Now()
	_, span := trace.Start(r.Context(), "admit")
	client, refused := s.admit(r)
	if refused != nil {
		span.FailCode(refused.code)
	}
	span.End()
	switch {
	case refused != nil && refused.after > 0:
		s.turnAway(w, r, refused)
		return
	case refused != nil:
		s.refuse(w, r, refused)
		return
	}
	client.Version, client.Caller = version, callerOf(r)
	trace.Of(r.Context()).Tenant(client.TenantID)
	if fault := upgradeFault(r.Header); fault != "" {
		http.Error(w, fault, http.StatusBadRequest)
		return
	}
	if err := s.takeOver(w, r, client); err != nil {
		s.Log.WarnContext(r.Context(), "could not take a connection over", "tenant", client.TenantID, "err", err)
		return
	}
	s.Metrics.connected(version, began)
}

// version reads the serializer version, which must be given once or not at all.
func version(r *http.Request) (phoenix.Version, bool) {
	query := r.URL.Query()
	if len(query["vsn"]) > 1 || query.Has("vsn[]") {
		return 0, false
	}
	return phoenix.ParseVersion(query.Get("vsn"))
}

func (s *Server) tooLong(h http.Header) bool {
	for _, values := range h {
		for _, v := range values {
			if len(v) > s.Settings.MaxHeader {
				return true
			}
		}
	}
	return false
}

// admit checks a handshake in the order of protocol, section 1.4.
func (s *Server) admit(r *http.Request) (*channel.Client, *refusal) {
	if refused := s.crowded(r); refused != nil {
		return nil, refused
	}
	handle, err := s.Tenants.ByHost(r.Context(), r.Host)
	if errors.Is(err, tutti.ErrNoTenant) {
		s.Gate.Bad(r)
		return nil, &refusal{status: http.StatusNotFound, text: "Tenant not found", code: "TenantNotFound"}
	}
	if err != nil {
		s.Log.ErrorContext(r.Context(), "finding a tenant failed", "code", "ErrorConnectingToWebsocket", "host", r.Host, "err", err)
		return nil, &refusal{status: http.StatusInternalServerError, text: "Error connecting to Realtime", code: "ErrorConnectingToWebsocket"}
	}
	t := handle.Tenant()
	if t == nil {
		return nil, &refusal{status: http.StatusNotFound, text: "Tenant not found", code: "TenantNotFound"}
	}
	if err := s.Gate.Origin(r, t); err != nil {
		return nil, s.gateRefusal(r, err)
	}
	if t.Suspend {
		return nil, &refusal{status: http.StatusForbidden, text: "Realtime was disabled for this tenant", code: "RealtimeDisabledForTenant"}
	}
	raw, given := apiKey(r)
	if !given {
		return nil, &refusal{status: http.StatusUnauthorized, text: "API key is missing", code: "MissingAPIKey"}
	}
	token, err := s.verify(r, t, raw)
	if _, ours := errors.AsType[*gate.Refusal](err); ours {
		return nil, s.gateRefusal(r, err)
	}
	if err != nil {
		var failure *auth.Failure
		if !errors.As(err, &failure) {
			s.Log.ErrorContext(r.Context(), "verifying a token failed", "code", "ErrorConnectingToWebsocket", "tenant", t.ExternalID, "err", err)
			return nil, &refusal{status: http.StatusInternalServerError, text: "Error connecting to Realtime", code: "ErrorConnectingToWebsocket"}
		}
		status, text, code := failure.Handshake()
		return nil, &refusal{status: status, text: text, code: code}
	}
	meters := s.Meters.Of(t.ExternalID)
	switch {
	case meters.ClusterUsers() >= t.MaxConcurrentUsers:
		return nil, &refusal{status: http.StatusTooManyRequests, text: "Too many connected users", code: "ConnectionRateLimitReached"}
	case meters.Joins.Over(t.MaxJoinsPerSecond):
		return nil, &refusal{status: http.StatusTooManyRequests, text: "Too many joins per second", code: "JoinsRateLimitReached"}
	}
	return &channel.Client{
		TenantID: t.ExternalID, Tenant: handle, Meters: meters, Token: token, Headers: extraHeaders(r.Header),
	}, nil
}

// extraHeaders returns the x-* headers of a handshake, which policies may look
// at, as a JSON object of lower-case names; nil when there are none. Of
// a repeated one the last counts.
func extraHeaders(h http.Header) []byte {
	var extra map[string]string
	for name, values := range h {
		if !strings.HasPrefix(name, "X-") || len(values) == 0 {
			continue
		}
		if extra == nil {
			extra = make(map[string]string)
		}
		extra[strings.ToLower(name)] = values[len(values)-1]
	}
	if extra == nil {
		return nil
	}
	object, _ := json.Marshal(extra) // texts cannot fail
	return object
}

// apiKey returns the token of a handshake: the header, or the query parameter
// if it is a plain string.
func apiKey(r *http.Request) (string, bool) {
	if values := r.Header.Values("X-Api-Key"); len(values) > 0 {
		return values[0], true
	}
	values := r.URL.Query()["apikey"]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	s.Metrics.refused(why.code)
	s.Log.InfoContext(r.Context(), "handshake refused", "code", why.code, "host", r.Host, "err", why.text)
	wait := time.NewTimer(s.Settings.ConnectBackoff)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
		return
	}
	why.answer(w)
}

func (why *refusal) answer(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(why.status)
	said := map[string]string{"error": why.text}
	if why.cure != "" {
		said["code"], said["cure"] = why.code, why.cure
	}
	_ = json.NewEncoder(w).Encode(said) // the client may be gone
}

// sendAway refuses a handshake because the node stops. Nobody waits: the client
// is to try another node at once, and this connection is not to hold up the stop.
func (s *Server) sendAway(w http.ResponseWriter, r *http.Request) {
	s.turnAway(w, r, &refusal{
		status: http.StatusServiceUnavailable, text: "Realtime is restarting, please standby",
		code: tutti.RealtimeRestarting, after: time.Second,
	})
}

// turnAway is refuse for those who are to come again, and need not be kept
// waiting: they are told when.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, why *refusal) {
	s.Metrics.refused(why.code)
	s.Log.DebugContext(r.Context(), "handshake refused", "code", why.code, "host", r.Host, "err", why.text)
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(why.after.Seconds()))))
	w.Header().Set("Connection", "close")
	why.answer(w)
}

// upgradeFault names the first header that keeps the connection from becoming a
// WebSocket. RFC 6455, section 4.2.1.
func upgradeFault(h http.Header) string {
	key := h.Get("Sec-WebSocket-Key")
	switch {
	case !hasToken(h, "Connection", "upgrade"):
		return headerFault("connection", "must contain 'upgrade'", h.Values("Connection"))
	case !hasToken(h, "Upgrade", "websocket"):
		return headerFault("upgrade", "must contain 'websocket'", h.Values("Upgrade"))
	case !websocket.ValidKey(key):
		return headerFault("sec-websocket-key", "must be 16 bytes in base64", h.Values("Sec-WebSocket-Key"))
	case h.Get("Sec-WebSocket-Version") != "13":
		return headerFault("sec-websocket-version", "must be '13'", h.Values("Sec-WebSocket-Version"))
	}
	return ""
}

func headerFault(name, rule string, got []string) string {
	return fmt.Sprintf("'%s' header %s, got %q", name, rule, got)
}

func hasToken(h http.Header, name, token string) bool {
	for _, value := range h.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

package socket

import (
	"errors"
	"net/http"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/gate"
)

// crowded returns why a handshake is refused before anybody has looked at it.
func (s *Server) crowded(r *http.Request) *refusal {
	if most := s.Settings.MaxOpen; most > 0 && s.Open() >= most {
		return &refusal{
			status: http.StatusServiceUnavailable, text: "This node has as many connections as it may",
			code: gate.ServerFull, cure: "try again; the operator can raise MAX_CONNECTIONS or add nodes", after: time.Second,
		}
	}
	if err := s.Gate.Patience(r); err != nil {
		return s.gateRefusal(r, err)
	}
	return nil
}

// verify verifies a token when it is its turn. Bad tokens count against the
// address that shows them.
func (s *Server) verify(r *http.Request, t *tutti.Tenant, raw string) (*auth.Token, error) {
	leave, err := s.Gate.Desk(r.Context())
	if err != nil {
		return nil, err
	}
	defer leave()
	token, err := s.Verifier.Verify(t, raw, time.Now())
	if err != nil {
		s.Gate.Bad(r)
	}
	return token, err
}

// gateRefusal words what the gate says as an answer to a handshake.
func (s *Server) gateRefusal(r *http.Request, err error) *refusal {
	var why *gate.Refusal
	if !errors.As(err, &why) {
		s.Log.Error("a handshake failed", "host", r.Host, "err", err)
		return &refusal{status: http.StatusInternalServerError, text: "Error connecting to Realtime", code: "ErrorConnectingToWebsocket"}
	}
	cure := why.Cure
	if cure == "" {
		cure = "try again in a moment"
	}
	return &refusal{status: why.Status, text: why.Cause, code: why.Code, cure: cure, after: why.After}
}

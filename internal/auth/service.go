package auth

import (
	"errors"
	"slices"
	"time"
)

// Reasons of a Service other than those of a Failure.
var (
	ErrBlocked  = errors.New("token is on the blocklist")
	ErrNoSecret = errors.New("no secret is configured")
)

// A Service verifies the tokens of those who manage the server or read its
// metrics (protocol §9.1). They are signed with HS256, HS384 or HS512 and need
// no claims at all.
type Service struct {
	Secrets    []string       // any of them may have signed; empty ones are passed over
	Blocked    []string       // tokens refused although they verify
	Validators map[string]any // as in Verifier
}

// Verify returns nil for a good token. An error is for the log: whoever asked
// is told nothing.
func (s *Service) Verify(raw string, now time.Time) error {
	text, ok := clean(raw)
	if !ok {
		return &Failure{kind: malformed}
	}
	if slices.Contains(s.Blocked, text) {
		return ErrBlocked
	}
	refusal := ErrNoSecret
	for _, secret := range s.Secrets {
		if secret == "" {
			continue
		}
		keys, err := NewKeys(secret, nil, s.Validators)
		if err != nil {
			return err
		}
		_, f := keys.open(text, now)
		if f == nil {
			return nil
		}
		// That the right secret refuses an old token says more than that the
		// other secret did not sign it.
		if errors.Is(refusal, ErrNoSecret) || f.kind != badSignature {
			refusal = f
		}
	}
	return refusal
}

package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// Reasons of a Service other than those of a Failure.
var (
	ErrBlocked  = errors.New("token is on the blocklist")
	ErrNoSecret = errors.New("no secret is configured")
	ErrUser     = errors.New("token is one of a tenant's users")
)

// services are the roles of tokens that may manage: none, or those by which a
// backend or an operator is known.
var services = []string{"", "service_role", "supabase_admin"}

// A Service verifies the tokens of those who manage the server or read its
// metrics (protocol §9.1). They are signed with HS256, HS384 or HS512 and need
// no claims at all. The secret is often that of a tenant as well, whose users
// have tokens of it, the public anon key among them: the reference leaves it to
// a gateway to keep those out, here their role does.
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
		token, f := keys.open(text, now)
		if f == nil && !slices.Contains(services, token.Claims.Role) {
			return ErrUser
		}
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

// Holder returns whose token this is, for a log: its claim "sub" or "iss", at most
// 200 bytes, "" when it has neither. The token has been verified.
func Holder(token string) string {
	const most = 200
	text, ok := clean(token)
	if !ok {
		return ""
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
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

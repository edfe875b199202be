package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"math"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A Token has been verified. It is shared by all who showed the same one, and
// never changed. The text of the token itself is not kept.
type Token struct {
	Claims tutti.Claims

	sum          [sha256.Size]byte // of the clean text
	ends         int64             // ceiling of the claim exp; neverEnds when there is none
	wholeEnd     bool              // exp is written as an integer
	tenantClaims bool              // has both role and exp
}

const neverEnds = math.MaxInt64

// recheckInterval is the longest time for which a token is believed without
// looking at the clock again (protocol §4.5).
const recheckInterval = 5 * time.Minute

// newToken reads the claims of a token whose signature is good, and the form of
// its times, but not yet whether the expiry is past.
func newToken(c *compact, now time.Time) (*Token, *Failure) {
	t := &Token{Claims: tutti.Claims{Raw: c.raw}, ends: neverEnds}
	t.Claims.Role, _ = stringOf(c.claims["role"])
	t.Claims.Subject, _ = stringOf(c.claims["sub"])
	exp, hasExpiry := c.claims["exp"]
	if hasExpiry {
		m, ok := momentOf(exp)
		if !ok {
			return nil, refusedExpiry(exp, now.Unix())
		}
		t.Claims.Expires, t.ends, t.wholeEnd = m.rounded, m.ceiling, m.whole
	}
	if iat, ok := c.claims["iat"]; ok {
		if _, ok := momentOf(iat); !ok {
			return nil, refusedClaim("iat", iat)
		}
	}
	_, hasRole := c.claims["role"]
	t.tenantClaims = hasRole && hasExpiry
	return t, nil
}

// Check looks at the clock again, as a join does and the timer of a channel
// (protocol §4.5). Errors are of type *Failure. It is stricter than Verify: a
// decimal expiry must also lie ahead once it is rounded.
func (t *Token) Check(now time.Time) error {
	if f := t.expired(now); f != nil {
		return f
	}
	left := t.Claims.Expires - now.Unix()
	if t.ends != neverEnds && left <= 0 {
		return &Failure{kind: spent, seconds: left}
	}
	return nil
}

// Recheck returns how long after now Check is due again: when the token
// expires, and after five minutes at the latest.
func (t *Token) Recheck(now time.Time) time.Duration {
	if t.ends == neverEnds || t.Claims.Expires-now.Unix() > int64(recheckInterval/time.Second)+1 {
		return recheckInterval // the difference may be too long for a Duration
	}
	left := time.Unix(t.Claims.Expires, 0).Sub(now)
	return min(max(left, 0), recheckInterval)
}

// Same reports whether raw is this very token, give or take what clean removes.
func (t *Token) Same(raw string) bool {
	text, ok := clean(raw)
	if !ok {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1
}

// expired compares with whole seconds, as the reference does: in the second in
// which a token expires it is already refused, "0 seconds ago".
func (t *Token) expired(now time.Time) *Failure {
	second := now.Unix()
	if t.ends > second {
		return nil
	}
	if t.wholeEnd {
		return &Failure{kind: expired, seconds: second - t.Claims.Expires}
	}
	var claims map[string]json.RawMessage
	_ = json.Unmarshal(t.Claims.Raw, &claims) // it has been decoded once already
	return refusedExpiry(claims["exp"], second)
}

package auth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tutti-realtime/tutti"
)

// kind is the row of the table in protocol §4.2 that a failure belongs to.
type kind uint8

const (
	malformed     kind = iota // not a JWT
	noSigner                  // no key for it
	badSignature              // signed with another key
	expired                   // exp, an integer, is past
	missingClaims             // no role or no exp
	claimRefused              // another claim is not as it must be
	spent                     // exp, a decimal, is ahead but rounds to now or earlier
)

const (
	textMalformed = "The token provided is not a valid JWT"
	textSignature = "Failed to validate JWT signature"
	textMissing   = "Fields `role` and `exp` are required in JWT"
)

// logCode marks in the log a refused handshake that has no code of its own.
const logCode = "ErrorConnectingToWebsocket"

// A Failure says why a token is refused. What a client is told depends on
// where it happens (protocol §1.4 and §4.2): there is a method for each place.
type Failure struct {
	kind    kind
	kid     *string // noSigner: the key id that the token asked for, if it counted
	seconds int64   // expired: since then; spent: until then, 0 or less
	claim   string  // claimRefused: its name
	detail  string  // claimRefused: what the reference shows
	cause   error   // noSigner: why there are no keys at all, or nil
}

// noSignerFor names the key that a token asked for.
func noSignerFor(c *compact) *Failure {
	f := &Failure{kind: noSigner}
	if c.hasKID {
		f.kid = &c.kid
	}
	return f
}

// refusedClaim words the failure as the reference does.
func refusedClaim(claim string, value json.RawMessage) *Failure {
	return &Failure{
		kind:   claimRefused,
		claim:  claim,
		detail: fmt.Sprintf(`[message: "Invalid token", claim: %s, claim_val: %s]`, inspectString(claim), inspect(value)),
	}
}

// refusedExpiry is for an exp that is no integer. The reference shows the time
// in place of a message.
func refusedExpiry(value json.RawMessage, second int64) *Failure {
	return &Failure{
		kind:   claimRefused,
		claim:  "exp",
		detail: fmt.Sprintf(`[message: %d, claim: "exp", claim_val: %s]`, second, inspect(value)),
	}
}

// Handshake returns the HTTP status and the text with which a connection is
// refused, and the code that is logged. A spent token is not refused there;
// the answer for it is that of an expired one.
func (f *Failure) Handshake() (status int, text, code string) {
	switch f.kind {
	case expired, spent:
		return http.StatusUnauthorized, "Token has expired", tutti.InvalidJWTToken
	case missingClaims:
		return http.StatusUnauthorized, textMissing, tutti.InvalidJWTToken
	case malformed:
		return http.StatusUnauthorized, textMalformed, tutti.MalformedJWT
	case badSignature:
		return http.StatusUnauthorized, textSignature, logCode
	case noSigner:
		return http.StatusUnauthorized, f.signerText(), logCode
	}
	return http.StatusInternalServerError, "Error connecting to Realtime", logCode
}

// Join returns the error with which a join is refused.
func (f *Failure) Join() *tutti.Error {
	switch f.kind {
	case expired:
		return &tutti.Error{Code: tutti.InvalidJWTToken, Reason: f.expiredText()}
	case spent:
		return &tutti.Error{Code: tutti.InvalidJWTToken, Reason: "Token expiration time is invalid"}
	case missingClaims:
		return &tutti.Error{Code: tutti.InvalidJWTToken, Reason: textMissing}
	case malformed:
		return &tutti.Error{Code: tutti.MalformedJWT, Reason: textMalformed}
	case badSignature:
		return &tutti.Error{Code: tutti.JwtSignatureError, Reason: textSignature}
	case noSigner:
		return &tutti.Error{Code: tutti.JwtSignerError, Reason: f.signerText()}
	}
	return tutti.ErrUnknown
}

// System returns the message of the system event with which a channel closes,
// after a bad access_token or when its token has run out.
func (f *Failure) System() string {
	switch f.kind {
	case expired:
		return f.expiredText()
	case spent:
		return strconv.FormatInt(f.seconds, 10)
	case missingClaims:
		return textMissing
	case malformed:
		return textMalformed
	case badSignature:
		return ":signature_error"
	case noSigner:
		if f.kid == nil {
			return ":error_generating_signer"
		}
		return f.signerText()
	}
	return f.detail
}

// Error returns the text for the log. It shows no value of a claim.
func (f *Failure) Error() string {
	switch {
	case f.kind == claimRefused:
		return "verify token: claim " + inspectString(f.claim) + " is not accepted"
	case f.cause != nil:
		return "verify token: " + f.Join().Reason + ": " + f.cause.Error()
	}
	return "verify token: " + f.Join().Reason
}

// Unwrap returns what is wrong with the keys of the tenant, or nil.
func (f *Failure) Unwrap() error { return f.cause }

func (f *Failure) expiredText() string {
	return fmt.Sprintf("Token has expired %d seconds ago", f.seconds)
}

func (f *Failure) signerText() string {
	const before, after = "Failed to generate JWT signer", ", check your JWT secret or JWKS configuration"
	if f.kid == nil {
		return before + after
	}
	return before + " for key ID (kid) " + inspectString(*f.kid) + after
}

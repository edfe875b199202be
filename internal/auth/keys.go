// Package auth knows whether a token may be believed, what it claims, and how
// to word a refusal at each of the places where one can happen.
// internal/socket asks it at the handshake, internal/channel at joins, at
// access_token events and when a token runs out, internal/api for its routes;
// cmd/tutti mints tokens with it. It owns the verified tokens that somebody
// still holds, so that equal tokens are verified once and kept once. It does no
// I/O and fetches no keys.
package auth

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Opaque reports whether raw is an API key such as "sb_publishable_...", which
// looks like no JWT and says nothing about its bearer (protocol §4.3).
func Opaque(raw string) bool { return strings.HasPrefix(raw, "sb_") }

// Keys verifies the tokens of one tenant (protocol §4.1). What it verifies with
// never changes; it is safe for concurrent use.
type Keys struct {
	secret     hmacKey
	jwks       keySet
	validators []validator
	verified   shelf[Token] // by the SHA-256 of the clean token
}

// NewKeys returns the keys of a tenant with the given shared secret, which may
// be empty, and JWK set, which may be empty too. Each claim named in validators
// must have the value given there, wherever a token has that claim. A JWK that
// is of no use is no error here: its tokens are refused instead.
func NewKeys(secret string, jwks []byte, validators map[string]any) (*Keys, error) {
	set, err := parseKeySet(jwks)
	if err != nil {
		return nil, fmt.Errorf("parse jwt_jwks: %w", err)
	}
	checks, err := newValidators(validators)
	if err != nil {
		return nil, fmt.Errorf("encode claim validators: %w", err)
	}
	return &Keys{secret: hmacKey(secret), jwks: set, validators: checks}, nil
}

// Verify checks the signature of a token, its times as of now, the claims that
// have a validator, and that it has a role and an expiry. Errors are of type
// *Failure. Equal tokens give the same *Token while somebody holds it.
func (k *Keys) Verify(raw string, now time.Time) (*Token, error) {
	text, ok := clean(raw)
	if !ok {
		return nil, &Failure{kind: malformed}
	}
	sum := sha256.Sum256([]byte(text))
	if t := k.verified.get(sum); t != nil {
		if f := t.expired(now); f != nil {
			return nil, f
		}
		return t, nil
	}
	t, f := k.open(text, now)
	if f != nil {
		return nil, f
	}
	if !t.tenantClaims {
		return nil, &Failure{kind: missingClaims}
	}
	t.sum = sum
	return k.verified.keep(sum, t), nil
}

// open does all that is asked of any token, and remembers nothing.
func (k *Keys) open(text string, now time.Time) (*Token, *Failure) {
	c, ok := parseCompact(text)
	if !ok {
		return nil, &Failure{kind: malformed}
	}
	key, f := k.find(c)
	if f != nil {
		return nil, f
	}
	m := method(c.alg, key)
	if m == nil {
		return nil, noSignerFor(c)
	}
	if m.Verify(c.input, c.signature, key.material()) != nil {
		return nil, &Failure{kind: badSignature}
	}
	t, f := newToken(c, now)
	if f == nil {
		f = t.expired(now)
	}
	if f == nil {
		f = k.validate(c.claims)
	}
	if f != nil {
		return nil, f
	}
	return t, nil
}

// find returns the key that the header asks for. Which kind of key it may be
// follows from the algorithm alone, so that a public key is never taken for a
// shared secret.
func (k *Keys) find(c *compact) (verifyingKey, *Failure) {
	kty := keyType(c.alg)
	lookup := k.jwks != nil && c.hasKID
	switch {
	case kty == "", kty != ktyOct && !lookup:
		return nil, &Failure{kind: noSigner}
	case lookup:
		key, known := k.jwks[keyName{kty: kty, kid: c.kid}]
		if known && key != nil {
			return key, nil
		}
		if known || kty != ktyOct || len(k.secret) == 0 {
			return nil, noSignerFor(c)
		}
	case len(k.secret) == 0:
		return nil, &Failure{kind: noSigner} // anyone could sign with the empty key
	}
	return k.secret, nil
}

// validate checks the claims that have a validator. An absent claim passes.
func (k *Keys) validate(claims map[string]json.RawMessage) *Failure {
	for _, v := range k.validators {
		got, ok := claims[v.claim]
		if ok && !v.accepts(got) {
			return refusedClaim(v.claim, got)
		}
	}
	return nil
}

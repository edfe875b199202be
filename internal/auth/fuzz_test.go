package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzVerify makes sure that nothing panics, that every refusal has its texts,
// and that what is accepted has been signed: with a secret, which is computed
// again here, or with a private key, which only the seeds have seen.
func FuzzVerify(f *testing.F) {
	p := testPairs()
	seeds := []string{
		sign(`{"alg":"RS256","kid":"rsa"}`, goodClaims, jwt.SigningMethodRS256, p.rsa),
		sign(`{"alg":"ES256","kid":"p256"}`, goodClaims, jwt.SigningMethodES256, p.p256),
		sign(`{"alg":"ES384","kid":"p384"}`, goodClaims, jwt.SigningMethodES384, p.p384),
		sign(`{"alg":"ES512","kid":"p521"}`, goodClaims, jwt.SigningMethodES512, p.p521),
		sign(`{"alg":"EdDSA","kid":"ed25519"}`, goodClaims, jwt.SigningMethodEdDSA, p.ed25519),
		sign(`{"alg":"Ed448","kid":"ed448"}`, goodClaims, nil, p.ed448),
	}
	signed := make(map[string]bool)
	for _, raw := range seeds {
		signed[raw[:strings.LastIndexByte(raw, '.')]] = true
	}
	seeds = append(seeds,
		hs256(goodClaims),
		hs256(`{"role":"r","exp":1e300,"iat":"x"}`),
		sign(`{"alg":"HS512","kid":"oct"}`, goodClaims, jwt.SigningMethodHS512, []byte(octSecret)),
		sign(`{"alg":"HS256","kid":"empty"}`, goodClaims, jwt.SigningMethodHS256, []byte{}),
		b64([]byte(`{"alg":"none"}`))+"."+b64([]byte(goodClaims))+".",
		"", "..", "a.b.c", "%", "%2", " \n%20", "sb_publishable_x", "e30.e30.", "bnVsbA.bnVsbA.bnVsbA",
	)
	for _, raw := range seeds {
		f.Add(raw)
	}
	k := testKeys(f, map[string]any{"aud": []string{"a"}})
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := k.Verify(raw, testNow())
		if err == nil {
			text, _ := clean(raw)
			input, sig := text[:strings.LastIndexByte(text, '.')], text[strings.LastIndexByte(text, '.')+1:]
			if !signed[input] && !macMatches(input, sig) {
				t.Fatalf("accepted without a signature: %q", raw)
			}
			if !token.Same(raw) || token.Claims.Expires < testTime {
				t.Fatalf("token is %+v", token)
			}
			_ = token.Check(testNow())
			return
		}
		var fail *Failure
		if !errors.As(err, &fail) {
			t.Fatalf("error is %T", err)
		}
		status, text, code := fail.Handshake()
		if status < 400 || text == "" || code == "" || fail.Join() == nil || fail.System() == "" || fail.Error() == "" {
			t.Fatalf("failure has no texts: %+v", fail)
		}
	})
}

// macMatches computes the signature without any of the code under test.
func macMatches(input, sig string) bool {
	got, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil {
		return false
	}
	for _, secret := range []string{testSecret, octSecret} {
		for _, h := range []func() hash.Hash{sha256.New, sha512.New384, sha512.New} {
			mac := hmac.New(h, []byte(secret))
			mac.Write([]byte(input))
			if hmac.Equal(mac.Sum(nil), got) {
				return true
			}
		}
	}
	return false
}

// FuzzNewKeys makes sure that no key set makes anything panic, now or when a
// token asks for one of its keys.
func FuzzNewKeys(f *testing.F) {
	f.Add(testJWKS())
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"k","n":"AQ","e":"AQ"},{"kty":"oct","kid":"k","k":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","kid":"k","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Add([]byte(`null`))
	tokens := make([]string, 0, 10)
	for _, alg := range []string{"HS256", "RS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"} {
		for _, kid := range []string{"k", "rsa"} {
			tokens = append(tokens, sign(`{"alg":"`+alg+`","kid":"`+kid+`"}`, goodClaims, jwt.SigningMethodHS256, []byte("guess")))
		}
	}
	f.Fuzz(func(t *testing.T, jwks []byte) {
		k, err := NewKeys(testSecret, jwks, nil)
		if err != nil {
			return
		}
		for _, raw := range tokens {
			if _, err := k.Verify(raw, testNow()); err == nil && !strings.Contains(string(jwks), b64([]byte("guess"))) {
				t.Fatalf("%s is accepted with %s", raw, jwks)
			}
		}
	})
}

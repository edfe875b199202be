package auth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestVerifyAcceptsEveryAlgorithm(t *testing.T) {
	t.Parallel()
	k, p := testKeys(t, nil), testPairs()
	for name, tt := range map[string]struct {
		alg, kid string
		method   jwt.SigningMethod
		key      any
	}{
		"HS256 with the tenant's secret":          {"HS256", "", jwt.SigningMethodHS256, []byte(testSecret)},
		"HS384 with the tenant's secret":          {"HS384", "", jwt.SigningMethodHS384, []byte(testSecret)},
		"HS512 with the tenant's secret":          {"HS512", "", jwt.SigningMethodHS512, []byte(testSecret)},
		"HS256 with a key of the set":             {"HS256", "oct", jwt.SigningMethodHS256, []byte(octSecret)},
		"HS384 with a key of the set":             {"HS384", "oct", jwt.SigningMethodHS384, []byte(octSecret)},
		"HS512 with a key of the set":             {"HS512", "oct", jwt.SigningMethodHS512, []byte(octSecret)},
		"HS256 with the first of two keys":        {"HS256", "twice", jwt.SigningMethodHS256, []byte(octSecret)},
		"HS256 where an RSA key has the same id":  {"HS256", "both", jwt.SigningMethodHS256, []byte(octSecret)},
		"RS256 where an oct key has the same id":  {"RS256", "both", jwt.SigningMethodRS256, p.rsa},
		"an unknown id falls back to the secret":  {"HS256", "elsewhere", jwt.SigningMethodHS256, []byte(testSecret)},
		"the id of a public key does too":         {"HS256", "rsa", jwt.SigningMethodHS256, []byte(testSecret)},
		"a k that is no string counts as unknown": {"HS256", "numeric", jwt.SigningMethodHS256, []byte(testSecret)},
		"RS256":                {"RS256", "rsa", jwt.SigningMethodRS256, p.rsa},
		"RS384":                {"RS384", "rsa", jwt.SigningMethodRS384, p.rsa},
		"RS512":                {"RS512", "rsa", jwt.SigningMethodRS512, p.rsa},
		"RS256 with 1024 bits": {"RS256", "weak", jwt.SigningMethodRS256, p.weakRSA},
		"ES256":                {"ES256", "p256", jwt.SigningMethodES256, p.p256},
		"ES384":                {"ES384", "p384", jwt.SigningMethodES384, p.p384},
		"ES512":                {"ES512", "p521", jwt.SigningMethodES512, p.p521},
		"EdDSA with Ed25519":   {"EdDSA", "ed25519", jwt.SigningMethodEdDSA, p.ed25519},
		"Ed25519":              {"Ed25519", "ed25519", jwt.SigningMethodEdDSA, p.ed25519},
		"EdDSA with Ed448":     {"EdDSA", "ed448", nil, p.ed448},
		"Ed448":                {"Ed448", "ed448", nil, p.ed448},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := fmt.Sprintf(`{"alg":%q}`, tt.alg)
			if tt.kid != "" {
				header = fmt.Sprintf(`{"alg":%q,"kid":%q}`, tt.alg, tt.kid)
			}
			raw := sign(header, goodClaims, tt.method, tt.key)
			token, err := k.Verify(raw, testNow())
			if err != nil {
				t.Fatal(err)
			}
			if token.Claims.Role != "authenticated" || token.Claims.Subject != "u1" || token.Claims.Expires != testTime+60 {
				t.Errorf("claims are %+v", token.Claims)
			}
			dot := strings.LastIndexByte(raw, '.')
			first := "A"
			if raw[dot+1] == 'A' {
				first = "B"
			}
			wantKind(t, k, raw[:dot+1]+first+raw[dot+2:], badSignature)
			wantKind(t, k, raw[:dot+1], badSignature)
			forged := b64([]byte(header)) + "." + b64([]byte(`{"role":"admin","exp":1700000060}`))
			wantKind(t, k, forged+raw[dot:], badSignature)
		})
	}
}

// wantKind fails unless the token is refused for the given reason.
func wantKind(t *testing.T, k *Keys, raw string, want kind) *Failure {
	t.Helper()
	token, err := k.Verify(raw, testNow())
	if err == nil || token != nil {
		t.Fatalf("token was accepted: %+v", token)
	}
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("error is a %T", err)
	}
	if f.kind != want {
		t.Fatalf("refused as %d (%v), want %d", f.kind, f, want)
	}
	return f
}

func TestVerifyRefusesWhatTheHeaderMayNotClaim(t *testing.T) {
	t.Parallel()
	k, p := testKeys(t, nil), testPairs()
	hs := jwt.SigningMethodHS256
	der := must(x509.MarshalPKIXPublicKey(&p.rsa.PublicKey))
	none := b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(goodClaims)) + "."
	kid := func(s string) *string { return &s }
	for name, tt := range map[string]struct {
		raw  string
		kind kind
		kid  *string
	}{
		"none without a signature":             {none, noSigner, nil},
		"none with a signature":                {sign(`{"alg":"none"}`, goodClaims, hs, []byte(testSecret)), noSigner, nil},
		"None in other letters":                {sign(`{"alg":"nOnE"}`, goodClaims, hs, []byte(testSecret)), noSigner, nil},
		"none with an id":                      {sign(`{"alg":"none","kid":"oct"}`, goodClaims, hs, []byte(octSecret)), noSigner, nil},
		"PS256":                                {sign(`{"alg":"PS256","kid":"rsa"}`, goodClaims, jwt.SigningMethodPS256, p.rsa), noSigner, nil},
		"lower case":                           {sign(`{"alg":"hs256"}`, goodClaims, hs, []byte(testSecret)), noSigner, nil},
		"no alg":                               {sign(`{"typ":"JWT"}`, goodClaims, hs, []byte(testSecret)), noSigner, nil},
		"alg in capitals":                      {sign(`{"ALG":"HS256"}`, goodClaims, hs, []byte(testSecret)), noSigner, nil},
		"an alg that is a number":              {sign(`{"alg":256}`, goodClaims, hs, []byte(testSecret)), noSigner, nil},
		"two algs, of which the last counts":   {sign(`{"alg":"HS256","alg":"none"}`, goodClaims, hs, []byte(testSecret)), noSigner, nil},
		"RS256 without an id":                  {sign(`{"alg":"RS256"}`, goodClaims, jwt.SigningMethodRS256, p.rsa), noSigner, nil},
		"RS256 with an id that is a number":    {sign(`{"alg":"RS256","kid":1}`, goodClaims, jwt.SigningMethodRS256, p.rsa), noSigner, nil},
		"RS256 with the id null":               {sign(`{"alg":"RS256","kid":null}`, goodClaims, jwt.SigningMethodRS256, p.rsa), noSigner, nil},
		"RS256 with an unknown id":             {sign(`{"alg":"RS256","kid":"x"}`, goodClaims, jwt.SigningMethodRS256, p.rsa), noSigner, kid("x")},
		"RS256 with the empty id":              {sign(`{"alg":"RS256","kid":""}`, goodClaims, jwt.SigningMethodRS256, p.rsa), noSigner, kid("")},
		"RS256 with an RSA key of 17 bits":     {sign(`{"alg":"RS256","kid":"broken"}`, goodClaims, jwt.SigningMethodRS256, p.rsa), noSigner, kid("broken")},
		"RS256 with the id of an EC key":       {sign(`{"alg":"RS256","kid":"p256"}`, goodClaims, jwt.SigningMethodRS256, p.rsa), noSigner, kid("p256")},
		"RS256 with the id of a shared secret": {sign(`{"alg":"RS256","kid":"oct"}`, goodClaims, hs, []byte(octSecret)), noSigner, kid("oct")},
		"ES256 with the id of an RSA key":      {sign(`{"alg":"ES256","kid":"rsa"}`, goodClaims, jwt.SigningMethodES256, p.p256), noSigner, kid("rsa")},
		"ES256 with a key of P-384":            {sign(`{"alg":"ES256","kid":"p384"}`, goodClaims, jwt.SigningMethodES384, p.p384), noSigner, kid("p384")},
		"ES512 with a key of P-256":            {sign(`{"alg":"ES512","kid":"p256"}`, goodClaims, jwt.SigningMethodES256, p.p256), noSigner, kid("p256")},
		"Ed25519 with a key of Ed448":          {sign(`{"alg":"Ed25519","kid":"ed448"}`, goodClaims, nil, p.ed448), noSigner, kid("ed448")},
		"Ed448 with a key of Ed25519":          {sign(`{"alg":"Ed448","kid":"ed25519"}`, goodClaims, jwt.SigningMethodEdDSA, p.ed25519), noSigner, kid("ed25519")},
		"EdDSA with a key of X25519":           {sign(`{"alg":"EdDSA","kid":"x25519"}`, goodClaims, jwt.SigningMethodEdDSA, p.ed25519), noSigner, kid("x25519")},
		"HS256 with a k that is not base64":    {sign(`{"alg":"HS256","kid":"garbled"}`, goodClaims, hs, []byte(testSecret)), noSigner, kid("garbled")},
		"HS256 with an empty k":                {sign(`{"alg":"HS256","kid":"empty"}`, goodClaims, hs, []byte{}), noSigner, kid("empty")},
		"HS256 signed with a public key":       {sign(`{"alg":"HS256","kid":"rsa"}`, goodClaims, hs, der), badSignature, nil},
		"HS256 signed with a modulus":          {sign(`{"alg":"HS256","kid":"rsa"}`, goodClaims, hs, p.rsa.N.Bytes()), badSignature, nil},
		"HS256 signed with the empty key":      {sign(`{"alg":"HS256"}`, goodClaims, hs, []byte{}), badSignature, nil},
		"HS256 signed as HS512":                {sign(`{"alg":"HS256"}`, goodClaims, jwt.SigningMethodHS512, []byte(testSecret)), badSignature, nil},
		"the tenant's secret for another key":  {sign(`{"alg":"HS256","kid":"oct"}`, goodClaims, hs, []byte(testSecret)), badSignature, nil},
		"the second of two keys":               {sign(`{"alg":"HS256","kid":"twice"}`, goodClaims, hs, []byte("a later secret of the same name")), badSignature, nil},
		"RS256 signed as RS512":                {sign(`{"alg":"RS256","kid":"rsa"}`, goodClaims, jwt.SigningMethodRS512, p.rsa), badSignature, nil},
		"a header that must be understood":     {sign(`{"alg":"HS256","crit":["b64"],"b64":false}`, goodClaims, hs, []byte(testSecret)), malformed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := wantKind(t, k, tt.raw, tt.kind)
			if (f.kid == nil) != (tt.kid == nil) || f.kid != nil && *f.kid != *tt.kid {
				t.Errorf("key id in the failure is %v", f.kid)
			}
		})
	}
}

func TestVerifyWithoutKeys(t *testing.T) {
	t.Parallel()
	empty := sign(`{"alg":"HS256"}`, goodClaims, jwt.SigningMethodHS256, []byte{})
	named := sign(`{"alg":"HS256","kid":"x"}`, goodClaims, jwt.SigningMethodHS256, []byte{})
	rs := sign(`{"alg":"RS256","kid":"rsa"}`, goodClaims, jwt.SigningMethodRS256, testPairs().rsa)
	for name, tt := range map[string]struct {
		secret, jwks, raw string
		named             bool
	}{
		"the empty secret signs nothing":                  {"", "", empty, false},
		"nor for an id without a set":                     {"", "", named, false},
		"nor for an id that is not in the set":            {"", `{"keys":[]}`, named, true},
		"nor for no id with a set":                        {"", `{"keys":[]}`, empty, false},
		"RS256 without a set":                             {testSecret, "", rs, false},
		"RS256 with the set null":                         {testSecret, "null", rs, false},
		"RS256 with an object that has no keys":           {testSecret, "{}", rs, false},
		"RS256 with an empty set":                         {testSecret, `{"keys":[]}`, rs, true},
		"RS256 with a set of things that are not a JWK":   {testSecret, `{"keys":[1,null,"x",[],{}]}`, rs, true},
		"RS256 with a JWK whose members have odd types":   {testSecret, `{"keys":[{"kty":"RSA","kid":"rsa","n":1,"e":{}}]}`, rs, true},
		"RS256 with a key whose exponent is 1":            {testSecret, `{"keys":[{"kty":"RSA","kid":"rsa","n":"` + b64(testPairs().rsa.N.Bytes()) + `","e":"AQ"}]}`, rs, true},
		"RS256 with a key that has no exponent":           {testSecret, `{"keys":[{"kty":"RSA","kid":"rsa","n":"` + b64(testPairs().rsa.N.Bytes()) + `"}]}`, rs, true},
		"RS256 with the id of a type nobody has heard of": {testSecret, `{"keys":[{"kty":"AKP","kid":"rsa"}]}`, rs, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := NewKeys(tt.secret, []byte(tt.jwks), nil)
			if err != nil {
				t.Fatal(err)
			}
			if f := wantKind(t, k, tt.raw, noSigner); (f.kid != nil) != tt.named {
				t.Errorf("failure names the key: %v, want %v", f.kid != nil, tt.named)
			}
		})
	}
}

func TestNewKeysNamesTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		jwks       string
		validators map[string]any
		want       string
	}{
		"text that is no JSON":              {jwks: `{"keys":`, want: "jwt_jwks"},
		"an array":                          {jwks: `[]`, want: "jwt_jwks"},
		"keys that are no array":            {jwks: `{"keys":{}}`, want: "jwt_jwks: member keys"},
		"a validator that JSON cannot hold": {validators: map[string]any{"aud": math.NaN()}, want: "claim validators"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewKeys(testSecret, []byte(tt.jwks), tt.validators)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestVerifyRefusesWhatIsNoToken(t *testing.T) {
	t.Parallel()
	k := testKeys(t, nil)
	good := hs256(goodClaims)
	parts := strings.Split(good, ".")
	sig := func(header, claims string) string {
		return sign(header, claims, jwt.SigningMethodHS256, []byte(testSecret))
	}
	for name, raw := range map[string]string{
		"nothing":                        "",
		"one word":                       "token",
		"a publishable key":              "sb_publishable_abc",
		"two parts":                      parts[0] + "." + parts[1],
		"four parts":                     good + ".x",
		"a fifth dot":                    good + ".",
		"three empty parts":              "..",
		"no header":                      "." + parts[1] + "." + parts[2],
		"padding":                        good + "=",
		"the other base64":               parts[0] + "." + parts[1] + ".+/+/",
		"bits that no byte needs":        parts[0] + "." + parts[1] + ".QR",
		"a broken percent escape":        good + "%zz",
		"half a percent escape":          good + "%2",
		"bytes that are not UTF-8":       sig(`{"alg":"HS256"}`, "{\"role\":\"\xff\",\"exp\":1700000060}"),
		"a header that is no JSON":       sig(`{"alg":`, goodClaims),
		"a header that is a string":      sig(`"HS256"`, goodClaims),
		"a header that is null":          sig(`null`, goodClaims),
		"claims that are no JSON":        sig(`{"alg":"HS256"}`, `{"role"`),
		"claims that are an array":       sig(`{"alg":"HS256"}`, `[]`),
		"claims that are null":           sig(`{"alg":"HS256"}`, `null`),
		"claims with something after":    sig(`{"alg":"HS256"}`, goodClaims+`{}`),
		"a good token that is too long":  sig(`{"alg":"HS256"}`, `{"role":"r","exp":1700000060,"pad":"`+strings.Repeat("x", maxToken)+`"}`),
		"white space beyond all measure": good + strings.Repeat(" ", maxToken),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantKind(t, k, raw, malformed)
		})
	}
}

func TestCleanDecodesThenDropsWhiteSpace(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"\n token %20 1 %0a%09\r\n 2 ": "token12",
		"a+b":                          "a+b",
		"%2520":                        "%20",
		"%41.%42":                      "A.B",
	} {
		if got, ok := clean(raw); !ok || got != want {
			t.Errorf("clean(%q) = %q, %v", raw, got, ok)
		}
	}
	k := testKeys(t, nil)
	good := hs256(goodClaims)
	first, err := k.Verify(good, testNow())
	if err != nil {
		t.Fatal(err)
	}
	second, err := k.Verify(" \n"+good[:9]+"%20%0A"+good[9:]+"\t", testNow())
	if err != nil || first != second {
		t.Errorf("the same token with white space gives %p, %v, want %p", second, err, first)
	}
}

func TestOpaqueKeysAreRecognized(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"sb_publishable_x": true, "sb_": true, "SB_x": false, " sb_x": false, "": false, "eyJ.sb_.x": false,
	} {
		if Opaque(raw) != want {
			t.Errorf("Opaque(%q) = %v", raw, !want)
		}
	}
}

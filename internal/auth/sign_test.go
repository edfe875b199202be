package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/cloudflare/circl/sign/ed448"
	"github.com/golang-jwt/jwt/v5"
)

const (
	testSecret = "super-secret-jwt-token-with-at-least-32-characters-long"
	octSecret  = "another secret that stands in the key set"
	testTime   = int64(1_700_000_000)
	goodClaims = `{"role":"authenticated","exp":1700000060,"sub":"u1"}`
)

func testNow() time.Time { return time.Unix(testTime, 900_000_000) }

// pairs are private keys of every kind, made once for all tests.
type pairs struct {
	rsa, weakRSA     *rsa.PrivateKey
	p256, p384, p521 *ecdsa.PrivateKey
	ed25519          ed25519.PrivateKey
	ed448            ed448.PrivateKey
}

var testPairs = sync.OnceValue(func() *pairs {
	return &pairs{
		rsa:     must(rsa.GenerateKey(rand.Reader, 2048)),
		weakRSA: must(rsa.GenerateKey(rand.Reader, 1024)),
		p256:    must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		p384:    must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		p521:    must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		ed25519: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
		ed448:   ed448.NewKeyFromSeed(make([]byte, ed448.SeedSize)),
	}
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaJWK(kid string, k *rsa.PrivateKey) string {
	return fmt.Sprintf(`{"kty":"RSA","kid":%q,"n":%q,"e":%q}`, kid, b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes()))
}

func ecJWK(kid string, k *ecdsa.PrivateKey) string {
	point := must(k.PublicKey.Bytes())[1:]
	return fmt.Sprintf(`{"kty":"EC","kid":%q,"crv":%q,"x":%q,"y":%q}`,
		kid, k.Curve.Params().Name, b64(point[:len(point)/2]), b64(point[len(point)/2:]))
}

func okpJWK(kid, crv string, public []byte) string {
	return fmt.Sprintf(`{"kty":"OKP","kid":%q,"crv":%q,"x":%q}`, kid, crv, b64(public))
}

func octJWK(kid, secret string) string {
	return fmt.Sprintf(`{"kty":"oct","kid":%q,"k":%q}`, kid, b64([]byte(secret)))
}

// testJWKS has one key of each kind, and some that are of no use.
func testJWKS() []byte {
	p := testPairs()
	keys := []string{
		octJWK("oct", octSecret),
		octJWK("empty", ""),
		`{"kty":"oct","kid":"garbled","k":"%%%"}`,
		`{"kty":"oct","kid":"numeric","k":7}`,
		rsaJWK("rsa", p.rsa),
		rsaJWK("weak", p.weakRSA),
		`{"kty":"RSA","kid":"broken","n":"AQAB","e":"AQAB"}`,
		ecJWK("p256", p.p256), ecJWK("p384", p.p384), ecJWK("p521", p.p521),
		okpJWK("ed25519", "Ed25519", p.ed25519.Public().(ed25519.PublicKey)),
		okpJWK("ed448", "Ed448", p.ed448.Public().(ed448.PublicKey)),
		okpJWK("x25519", "X25519", make([]byte, 32)),
		rsaJWK("both", p.rsa), octJWK("both", octSecret),
		octJWK("twice", octSecret), octJWK("twice", "a later secret of the same name"),
		`{"kty":"oct","k":"bm8ga2lk"}`, `7`, `null`,
	}
	list := make([]json.RawMessage, len(keys))
	for i, k := range keys {
		list[i] = json.RawMessage(k)
	}
	return must(json.Marshal(map[string]any{"keys": list}))
}

func testKeys(tb testing.TB, validators map[string]any) *Keys {
	tb.Helper()
	k, err := NewKeys(testSecret, testJWKS(), validators)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// sign makes a token of a header and claims as they are given, well-formed or
// not. The key decides how it is signed, the header is free to lie about it.
func sign(header, claims string, m jwt.SigningMethod, key any) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	if k, ok := key.(ed448.PrivateKey); ok {
		return input + "." + b64(ed448.Sign(k, []byte(input), ""))
	}
	return input + "." + b64(must(m.Sign(input, key)))
}

// hs256 signs claims with the secret of the test tenant.
func hs256(claims string) string {
	return sign(`{"alg":"HS256"}`, claims, jwt.SigningMethodHS256, []byte(testSecret))
}

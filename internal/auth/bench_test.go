package auth

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Cold is what the first socket pays for a token, remembered what the others do.
func BenchmarkVerify(b *testing.B) {
	k := testKeys(b, nil)
	hs := hs256(goodClaims)
	es := sign(`{"alg":"ES256","kid":"p256"}`, goodClaims, jwt.SigningMethodES256, testPairs().p256)
	for name, raw := range map[string]string{"HS256 cold": hs, "ES256 cold": es} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, f := k.open(raw, testNow()); f != nil {
					b.Fatal(f)
				}
			}
		})
	}
	b.Run("HS256 remembered", func(b *testing.B) {
		held := must(k.Verify(hs, testNow()))
		b.ReportAllocs()
		for b.Loop() {
			if t, _ := k.Verify(hs, testNow()); t != held {
				b.Fatal("another token")
			}
		}
	})
}

// What a stranger can have the server do: check a signature that is wrong. The
// server does it for some at once only (gate.Desk).
func BenchmarkRefuse(b *testing.B) {
	k, p := testKeys(b, nil), testPairs()
	for name, raw := range map[string]string{
		"HS256": hs256(goodClaims),
		"RS256": sign(`{"alg":"RS256","kid":"rsa"}`, goodClaims, jwt.SigningMethodRS256, p.rsa),
		"ES256": sign(`{"alg":"ES256","kid":"p256"}`, goodClaims, jwt.SigningMethodES256, p.p256),
		"ES384": sign(`{"alg":"ES384","kid":"p384"}`, goodClaims, jwt.SigningMethodES384, p.p384),
		"ES512": sign(`{"alg":"ES512","kid":"p521"}`, goodClaims, jwt.SigningMethodES512, p.p521),
		"EdDSA": sign(`{"alg":"EdDSA","kid":"ed25519"}`, goodClaims, jwt.SigningMethodEdDSA, p.ed25519),
		"Ed448": sign(`{"alg":"Ed448","kid":"ed448"}`, goodClaims, nil, p.ed448),
	} {
		b.Run(name, func(b *testing.B) {
			parts := strings.Split(raw, ".")
			wrong := parts[0] + "." + b64([]byte(`{"role":"admin"}`)) + "." + parts[2]
			for b.Loop() {
				if _, f := k.open(wrong, testNow()); f == nil || f.kind != badSignature {
					b.Fatalf("got %v", f)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

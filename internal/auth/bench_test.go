package auth

import (
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

package auth

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Published examples. They carry no kid, and some no claims, so they are
// checked below Verify: key and method.
func TestPublishedExamples(t *testing.T) {
	t.Parallel()
	const joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	for name, tt := range map[string]struct{ jwk, alg, token string }{
		"RFC 7515 A.1, HS256": {
			jwk: `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`,
			alg: "HS256",
			token: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + joe +
				".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		},
		"RFC 7515 A.2, RS256": {
			jwk: `{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}`,
			alg: "RS256",
			token: "eyJhbGciOiJSUzI1NiJ9." + joe +
				".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
		},
		"RFC 7515 A.3, ES256": {
			jwk:   `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			alg:   "ES256",
			token: "eyJhbGciOiJFUzI1NiJ9." + joe + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
		},
		"RFC 8037 A.4, EdDSA with Ed25519": {
			jwk:   `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			alg:   "EdDSA",
			token: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := parseKey(t, tt.jwk)
			dot := strings.LastIndexByte(tt.token, '.')
			sig, err := base64.RawURLEncoding.DecodeString(tt.token[dot+1:])
			if err != nil {
				t.Fatal(err)
			}
			m := method(tt.alg, key)
			if err := m.Verify(tt.token[:dot], sig, key.material()); err != nil {
				t.Error(err)
			}
			sig[7] ^= 1
			if m.Verify(tt.token[:dot], sig, key.material()) == nil {
				t.Error("a changed signature is accepted")
			}
		})
	}
}

func parseKey(t *testing.T, text string) verifyingKey {
	t.Helper()
	var j jwk
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		t.Fatal(err)
	}
	kty, _ := stringOf(j["kty"])
	key, err := j.key(kty)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRFC7515HMACExampleGoesThroughVerify(t *testing.T) {
	t.Parallel()
	secret := must(base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
	k := must(NewKeys(string(secret), nil, nil))
	_, err := k.Verify("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", time.Unix(1300819379, 0))
	if f, ok := err.(*Failure); !ok || f.kind != missingClaims {
		t.Errorf("error is %v, want the missing role", err)
	}
}

// RFC 8032 §7.4, the first example: an empty text.
func TestRFC8032Ed448Example(t *testing.T) {
	t.Parallel()
	public := must(hex.DecodeString("5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180"))
	sig := must(hex.DecodeString("533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600"))
	key := parseKey(t, okpJWK("", "Ed448", public))
	m := method("Ed448", key)
	if err := m.Verify("", sig, key.material()); err != nil {
		t.Error(err)
	}
	if m.Verify("x", sig, key.material()) == nil || m.Verify("", sig[1:], key.material()) == nil || m.Verify("", sig, sig) == nil {
		t.Error("what was not signed is accepted")
	}
}

func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	p := testPairs()
	short := strings.Replace(ecJWK("", p.p256), `"y":"`, `"y":"AAAA`, 1)
	for name, text := range map[string]string{
		"a point that is not on its curve": `{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}`,
		"the point at infinity":            `{"kty":"EC","crv":"P-256","x":"","y":""}`,
		"a coordinate that is too long":    short,
		"a point of another curve":         strings.Replace(ecJWK("", p.p256), "P-256", "P-384", 1),
		"a curve that JWT does not know":   strings.Replace(ecJWK("", p.p256), "P-256", "secp256k1", 1),
		"no curve":                         `{"kty":"EC","x":"AQ","y":"AQ"}`,
		"an Ed25519 key that is too short": okpJWK("", "Ed25519", make([]byte, 31)),
		"an Ed448 key that is too long":    okpJWK("", "Ed448", make([]byte, 58)),
		"an Ed25519 key called Ed448":      okpJWK("", "Ed448", make([]byte, 32)),
		"an X448 key":                      okpJWK("", "X448", make([]byte, 56)),
		"a modulus that is even":           `{"kty":"RSA","e":"AQAB","n":"` + b64(append(p.rsa.N.Bytes(), 0)) + `"}`,
		"a modulus beyond all measure":     `{"kty":"RSA","e":"AQAB","n":"` + b64([]byte(strings.Repeat("\xff", maxRSABits/8+1))) + `"}`,
		"an exponent that is even":         `{"kty":"RSA","e":"Ag","n":"` + b64(p.rsa.N.Bytes()) + `"}`,
		"an exponent of 40 bits":           `{"kty":"RSA","e":"__8AAAE","n":"` + b64(p.rsa.N.Bytes()) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var j jwk
			if err := json.Unmarshal([]byte(text), &j); err != nil {
				t.Fatal(err)
			}
			kty, _ := stringOf(j["kty"])
			if key, err := j.key(kty); err == nil {
				t.Errorf("it gives %+v", key)
			}
		})
	}
}

func TestPaddedMembersAreRead(t *testing.T) {
	t.Parallel()
	key := parseKey(t, `{"kty":"oct","k":"c2VjcmV0IQ=="}`)
	if string(key.(hmacKey)) != "secret!" {
		t.Errorf("key is %q", key)
	}
}

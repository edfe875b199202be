package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/cloudflare/circl/sign/ed448"
)

// Bounds on RSA keys in bits. The lower one is that of package crypto/rsa: the
// reference has none, so 2048 would lock out tenants that it serves. The upper
// one keeps a single check within milliseconds.
const (
	minRSABits = 1024
	maxRSABits = 16384
)

// maxKeySet is the size in bytes of the largest JWK set that is read: hundreds of
// keys. Each takes up to a millisecond to read, in every node.
const maxKeySet = 256 << 10

// keyName is what a token says about its key: the type follows from the
// algorithm, the id is the header "kid".
type keyName struct{ kty, kid string }

// A keySet holds the JWKs of a tenant. A nil key stands for a JWK that is of no
// use. A nil set means that the tenant has none.
type keySet map[keyName]verifyingKey

// parseKeySet reads {"keys":[...]} (RFC 7517 §5). The members "alg", "use" and
// "key_ops" of a JWK are not consulted. Of two JWKs with one name the first
// counts.
func parseKeySet(text []byte) (keySet, error) {
	if len(text) == 0 {
		return nil, nil
	}
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("it has %d bytes, and %d at most are read", len(text), maxKeySet)
	}
	var set map[string]json.RawMessage
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	var jwks []json.RawMessage
	if keys, ok := set["keys"]; ok {
		if err := json.Unmarshal(keys, &jwks); err != nil {
			return nil, fmt.Errorf("member keys: %w", err)
		}
	}
	if jwks == nil {
		return nil, nil
	}
	keys := make(keySet, len(jwks))
	for _, text := range jwks {
		name, key, ok := parseJWK(text)
		if _, taken := keys[name]; ok && !taken {
			keys[name] = key
		}
	}
	return keys, nil
}

// parseJWK returns a JWK and the name that tokens know it by, or ok false when
// no token can ask for it. The key is nil when it is of no use.
func parseJWK(text json.RawMessage) (name keyName, key verifyingKey, ok bool) {
	var j jwk
	if json.Unmarshal(text, &j) != nil {
		return keyName{}, nil, false
	}
	kty, hasType := stringOf(j["kty"])
	kid, hasID := stringOf(j["kid"])
	if _, hasK := stringOf(j["k"]); !hasType || !hasID || kty == ktyOct && !hasK {
		return keyName{}, nil, false
	}
	key, err := j.key(kty)
	if err != nil {
		key = nil
	}
	return keyName{kty: kty, kid: kid}, key, true
}

// A jwk is a JSON Web Key before anybody has looked at its members. It is no
// struct, because members are matched exactly, and one that is of the wrong
// type matters only if the key needs it.
type jwk map[string]json.RawMessage

var errUnusable = errors.New("no key that can verify")

func (j jwk) key(kty string) (verifyingKey, error) {
	switch kty {
	case ktyOct:
		k, err := j.bytes("k")
		if err != nil || len(k) == 0 {
			return nil, errUnusable
		}
		return hmacKey(k), nil
	case ktyRSA:
		return j.rsa()
	case ktyEC:
		return j.elliptic()
	case ktyOKP:
		return j.edwards()
	}
	return nil, errUnusable
}

// rsa reads the members "n" and "e" (RFC 7518 §6.3.1).
func (j jwk) rsa() (verifyingKey, error) {
	n, err := j.bytes("n")
	if err != nil {
		return nil, err
	}
	e, err := j.bytes("e")
	if err != nil {
		return nil, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	bits := modulus.BitLen()
	// With the exponent 1 every text is its own signature.
	if bits < minRSABits || bits > maxRSABits || modulus.Bit(0) == 0 ||
		exponent.BitLen() < 2 || exponent.BitLen() > 31 || exponent.Bit(0) == 0 {
		return nil, errUnusable
	}
	return rsaKey{&rsa.PublicKey{N: modulus, E: int(exponent.Int64())}}, nil
}

// elliptic reads the members "crv", "x" and "y" (RFC 7518 §6.2.1) and makes
// sure that the point is on the curve.
func (j jwk) elliptic() (verifyingKey, error) {
	crv, _ := stringOf(j["crv"])
	var curve elliptic.Curve
	switch crv {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	case "P-521":
		curve = elliptic.P521()
	default:
		return nil, errUnusable
	}
	size := (curve.Params().BitSize + 7) / 8
	point := make([]byte, 1+2*size)
	point[0] = 4 // uncompressed, SEC 1 §2.3.3
	for i, member := range []string{"x", "y"} {
		c, err := j.bytes(member)
		if err != nil || len(c) > size {
			return nil, errUnusable
		}
		copy(point[1+(i+1)*size-len(c):], c) // some leave out leading zeros
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, err
	}
	return ecKey{key}, nil
}

// edwards reads the members "crv" and "x" (RFC 8037 §2). The X curves are for
// key agreement and verify nothing.
func (j jwk) edwards() (verifyingKey, error) {
	crv, _ := stringOf(j["crv"])
	x, err := j.bytes("x")
	switch {
	case err != nil:
		return nil, err
	case crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
		return ed25519Key(x), nil
	case crv == "Ed448" && len(x) == ed448.PublicKeySize:
		return ed448Key(x), nil
	}
	return nil, errUnusable
}

// bytes decodes a base64url member, with or without padding.
func (j jwk) bytes(member string) ([]byte, error) {
	text, ok := stringOf(j[member])
	if !ok {
		return nil, errUnusable
	}
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"

	"github.com/cloudflare/circl/sign/ed448"
	"github.com/golang-jwt/jwt/v5"
)

// Values of the JWK member "kty" (RFC 7518 §6.1, RFC 8037 §2).
const (
	ktyOct = "oct"
	ktyRSA = "RSA"
	ktyEC  = "EC"
	ktyOKP = "OKP"
)

// A verifyingKey is one of the key types below. They are types of their own so
// that the compiler keeps secrets and public keys apart.
type verifyingKey interface {
	material() any // what the signature method wants to be given
}

type (
	hmacKey    []byte
	rsaKey     struct{ *rsa.PublicKey }
	ecKey      struct{ *ecdsa.PublicKey }
	ed25519Key ed25519.PublicKey
	ed448Key   ed448.PublicKey
)

func (k hmacKey) material() any    { return []byte(k) }
func (k rsaKey) material() any     { return k.PublicKey }
func (k ecKey) material() any      { return k.PublicKey }
func (k ed25519Key) material() any { return ed25519.PublicKey(k) }
func (k ed448Key) material() any   { return ed448.PublicKey(k) }

// A verifier checks one signature. The methods of package jwt are verifiers.
type verifier interface {
	Verify(input string, signature []byte, key any) error
}

// keyType returns the type of key that an algorithm needs, "" for algorithms
// that are not accepted: "none", the PS family and what nobody has heard of.
func keyType(alg string) string {
	switch alg {
	case "HS256", "HS384", "HS512":
		return ktyOct
	case "RS256", "RS384", "RS512":
		return ktyRSA
	case "ES256", "ES384", "ES512":
		return ktyEC
	case "EdDSA", "Ed25519", "Ed448":
		return ktyOKP
	}
	return ""
}

// method returns how signatures of an algorithm are checked with a key, nil
// when the two do not fit.
func method(alg string, key verifyingKey) verifier {
	switch key := key.(type) {
	case hmacKey:
		return hmacMethod(alg)
	case rsaKey:
		return rsaMethod(alg)
	case ecKey:
		return ecMethod(alg, key.Curve)
	case ed25519Key:
		if alg == "EdDSA" || alg == "Ed25519" {
			return jwt.SigningMethodEdDSA
		}
	case ed448Key:
		if alg == "EdDSA" || alg == "Ed448" {
			return ed448Method{}
		}
	}
	return nil
}

func hmacMethod(alg string) verifier {
	switch alg {
	case "HS256":
		return jwt.SigningMethodHS256
	case "HS384":
		return jwt.SigningMethodHS384
	case "HS512":
		return jwt.SigningMethodHS512
	}
	return nil
}

func rsaMethod(alg string) verifier {
	switch alg {
	case "RS256":
		return jwt.SigningMethodRS256
	case "RS384":
		return jwt.SigningMethodRS384
	case "RS512":
		return jwt.SigningMethodRS512
	}
	return nil
}

func ecMethod(alg string, curve elliptic.Curve) verifier {
	switch {
	case alg == "ES256" && curve == elliptic.P256():
		return jwt.SigningMethodES256
	case alg == "ES384" && curve == elliptic.P384():
		return jwt.SigningMethodES384
	case alg == "ES512" && curve == elliptic.P521():
		return jwt.SigningMethodES512
	}
	return nil
}

// ed448Method is EdDSA with the curve that package jwt does not know
// (RFC 8032 §5.2, with the empty context that RFC 8037 §3.1 asks for).
type ed448Method struct{}

func (ed448Method) Verify(input string, signature []byte, key any) error {
	public, ok := key.(ed448.PublicKey)
	if !ok {
		return jwt.ErrInvalidKeyType
	}
	if len(signature) != ed448.SignatureSize || !ed448.Verify(public, []byte(input), signature, "") {
		return jwt.ErrSignatureInvalid
	}
	return nil
}

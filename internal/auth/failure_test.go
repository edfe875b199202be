package auth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tutti-realtime/tutti"
)

// The rows of the tables in protocol §1.4 and §4.2.
func TestFailureTexts(t *testing.T) {
	t.Parallel()
	const cure = ", check your JWT secret or JWKS configuration"
	validators := map[string]any{"aud": "authenticated", "level": 2}
	for name, tt := range map[string]struct {
		raw            string
		status         int
		handshake, log string
		join, system   string
	}{
		"an integer expiry is past": {
			raw:    hs256(`{"role":"r","exp":1699999958}`),
			status: 401, handshake: "Token has expired", log: "InvalidJWTToken",
			join:   "InvalidJWTToken: Token has expired 42 seconds ago",
			system: "Token has expired 42 seconds ago",
		},
		"it expires in this second": {
			raw:    hs256(`{"role":"r","exp":1700000000}`),
			status: 401, handshake: "Token has expired", log: "InvalidJWTToken",
			join:   "InvalidJWTToken: Token has expired 0 seconds ago",
			system: "Token has expired 0 seconds ago",
		},
		"expiry comes before the missing role": {
			raw:    hs256(`{"exp":1699999999}`),
			status: 401, handshake: "Token has expired", log: "InvalidJWTToken",
			join:   "InvalidJWTToken: Token has expired 1 seconds ago",
			system: "Token has expired 1 seconds ago",
		},
		"no role": {
			raw:    hs256(`{"exp":1700000060}`),
			status: 401, handshake: "Fields `role` and `exp` are required in JWT", log: "InvalidJWTToken",
			join:   "InvalidJWTToken: Fields `role` and `exp` are required in JWT",
			system: "Fields `role` and `exp` are required in JWT",
		},
		"no expiry": {
			raw:    hs256(`{"role":"r"}`),
			status: 401, handshake: "Fields `role` and `exp` are required in JWT", log: "InvalidJWTToken",
			join:   "InvalidJWTToken: Fields `role` and `exp` are required in JWT",
			system: "Fields `role` and `exp` are required in JWT",
		},
		"not a JWT": {
			raw:    "potato",
			status: 401, handshake: "The token provided is not a valid JWT", log: "MalformedJWT",
			join:   "MalformedJWT: The token provided is not a valid JWT",
			system: "The token provided is not a valid JWT",
		},
		"another key": {
			raw:    sign(`{"alg":"HS256"}`, goodClaims, jwt.SigningMethodHS256, []byte("guessed")),
			status: 401, handshake: "Failed to validate JWT signature", log: "ErrorConnectingToWebsocket",
			join:   "JwtSignatureError: Failed to validate JWT signature",
			system: ":signature_error",
		},
		"no signer, with the id of the key": {
			raw:    sign(`{"alg":"RS256","kid":"a\"b"}`, goodClaims, jwt.SigningMethodRS256, testPairs().rsa),
			status: 401, handshake: `Failed to generate JWT signer for key ID (kid) "a\"b"` + cure, log: "ErrorConnectingToWebsocket",
			join:   `JwtSignerError: Failed to generate JWT signer for key ID (kid) "a\"b"` + cure,
			system: `Failed to generate JWT signer for key ID (kid) "a\"b"` + cure,
		},
		"no signer, without an id": {
			raw:    sign(`{"alg":"RS256"}`, goodClaims, jwt.SigningMethodRS256, testPairs().rsa),
			status: 401, handshake: "Failed to generate JWT signer" + cure, log: "ErrorConnectingToWebsocket",
			join:   "JwtSignerError: Failed to generate JWT signer" + cure,
			system: ":error_generating_signer",
		},
		"a decimal expiry is past": {
			raw:    hs256(`{"role":"r","exp":1699999999.5}`),
			status: 500, handshake: "Error connecting to Realtime", log: "ErrorConnectingToWebsocket",
			join:   "Unknown Error on Channel",
			system: `[message: 1700000000, claim: "exp", claim_val: 1699999999.5]`,
		},
		"an expiry that is a string": {
			raw:    hs256(`{"role":"r","exp":"1800000000"}`),
			status: 500, handshake: "Error connecting to Realtime", log: "ErrorConnectingToWebsocket",
			join:   "Unknown Error on Channel",
			system: `[message: 1700000000, claim: "exp", claim_val: "1800000000"]`,
		},
		"an expiry that is null": {
			raw:    hs256(`{"role":"r","exp":null}`),
			status: 500, handshake: "Error connecting to Realtime", log: "ErrorConnectingToWebsocket",
			join:   "Unknown Error on Channel",
			system: `[message: 1700000000, claim: "exp", claim_val: nil]`,
		},
		"a time of issue that is an object": {
			raw:    hs256(`{"role":"r","exp":1700000060,"iat":{"b":[true,-1.5e3],"a":"#{x}"}}`),
			status: 500, handshake: "Error connecting to Realtime", log: "ErrorConnectingToWebsocket",
			join:   "Unknown Error on Channel",
			system: `[message: "Invalid token", claim: "iat", claim_val: %{"a" => "\#{x}", "b" => [true, -1.5e3]}]`,
		},
		"a claim that has another value": {
			raw:    hs256(`{"role":"r","exp":1700000060,"aud":"anon"}`),
			status: 500, handshake: "Error connecting to Realtime", log: "ErrorConnectingToWebsocket",
			join:   "Unknown Error on Channel",
			system: `[message: "Invalid token", claim: "aud", claim_val: "anon"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := testKeys(t, validators).Verify(tt.raw, testNow())
			wantTexts(t, err, tt.status, tt.handshake, tt.log, tt.join, tt.system)
		})
	}
}

func wantTexts(t *testing.T, err error, status int, handshake, log, join, system string) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("error is %v", err)
	}
	if gotStatus, text, code := f.Handshake(); gotStatus != status || text != handshake || code != log {
		t.Errorf("handshake: %d %q %q", gotStatus, text, code)
	}
	if got := f.Join().Error(); got != join {
		t.Errorf("join: %q", got)
	}
	if got := f.System(); got != system {
		t.Errorf("system: %q", got)
	}
	if !strings.HasPrefix(f.Error(), "verify token: ") || strings.Contains(f.Error(), "anon") {
		t.Errorf("log: %q", f.Error())
	}
}

func TestDecimalExpiryThatRoundsToNowConnectsButDoesNotJoin(t *testing.T) {
	t.Parallel()
	token, err := testKeys(t, nil).Verify(hs256(`{"role":"r","exp":1700000000.4}`), testNow())
	if err != nil {
		t.Fatal(err)
	}
	err = token.Check(testNow())
	wantTexts(t, err, 401, "Token has expired", "InvalidJWTToken",
		"InvalidJWTToken: Token expiration time is invalid", "0")
	err = token.Check(testNow().Add(time.Second))
	wantTexts(t, err, 500, "Error connecting to Realtime", "ErrorConnectingToWebsocket",
		"Unknown Error on Channel", `[message: 1700000001, claim: "exp", claim_val: 1700000000.4]`)
}

func TestUnknownErrorIsTheOneThatAllShare(t *testing.T) {
	t.Parallel()
	if f := (&Failure{kind: claimRefused}); f.Join() != tutti.ErrUnknown {
		t.Errorf("join error is %v", f.Join())
	}
}

func TestInspectString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                         `"plain"`,
		"":                              `""`,
		"é\t\n":                         `"é\t\n"`,
		"\x00\x1b\x7f":                  `"\0\e\d"`,
		`\x7f`:                          `"\\x7f"`,
		"a#{b}":                         `"a\#{b}"`,
		strings.Repeat("x", 4096):       `"` + strings.Repeat("x", 4096) + `"`,
		strings.Repeat("é", 3000):       `"` + strings.Repeat("é", 2048) + `" <> ...`,
		"x" + strings.Repeat("é", 3000): `"x` + strings.Repeat("é", 2047) + `" <> ...`,
	} {
		if got := inspectString(in); got != want {
			t.Errorf("inspectString(%.20q) = %.40s, want %.40s", in, got, want)
		}
	}
}

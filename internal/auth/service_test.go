package auth

import (
	"errors"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestService(t *testing.T) {
	t.Parallel()
	next := func(claims string) string {
		return sign(`{"alg":"HS512","kid":"whatever"}`, claims, jwt.SigningMethodHS512, []byte("next"))
	}
	blocked := hs256(`{"blocked":true}`)
	s := &Service{
		Secrets: []string{"", testSecret, "next"}, Blocked: []string{"x", blocked},
		Validators: map[string]any{"iss": "us"},
	}
	for name, tt := range map[string]struct {
		raw  string
		want error
		kind kind
	}{
		"no claims at all":              {raw: hs256(`{}`)},
		"white space and escapes":       {raw: "%20" + hs256(`{}`) + "\n"},
		"the next secret":               {raw: next(`{"exp":1700000001,"iss":"us"}`)},
		"a blocked one":                 {raw: blocked, want: ErrBlocked},
		"a blocked one with a space":    {raw: " " + blocked, want: ErrBlocked},
		"an old one of the next secret": {raw: next(`{"exp":1700000000}`), want: &Failure{}, kind: expired},
		"an old one of the old secret":  {raw: hs256(`{"exp":1700000000}`), want: &Failure{}, kind: expired},
		"the wrong issuer":              {raw: hs256(`{"iss":"them"}`), want: &Failure{}, kind: claimRefused},
		"the empty secret": {
			raw:  sign(`{"alg":"HS256"}`, `{}`, jwt.SigningMethodHS256, []byte{}),
			want: &Failure{}, kind: badSignature,
		},
		"a public key": {
			raw:  sign(`{"alg":"RS256","kid":"rsa"}`, `{}`, jwt.SigningMethodRS256, testPairs().rsa),
			want: &Failure{}, kind: noSigner,
		},
		"no token": {raw: "", want: &Failure{}, kind: malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := s.Verify(tt.raw, testNow())
			var f *Failure
			switch {
			case tt.want == nil && err != nil, tt.want == ErrBlocked && err != ErrBlocked:
				t.Errorf("error is %v", err)
			case tt.want != nil && tt.want != ErrBlocked && (!errors.As(err, &f) || f.kind != tt.kind):
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestServiceWithoutSecretsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for _, s := range []*Service{{}, {Secrets: []string{"", ""}}} {
		raw := sign(`{"alg":"HS256"}`, `{}`, jwt.SigningMethodHS256, []byte{})
		if err := s.Verify(raw, testNow()); err != ErrNoSecret {
			t.Errorf("error is %v", err)
		}
	}
}

// The secret of the management is that of the ready-made tenant, too.
func TestUsersOfATenantDoNotManage(t *testing.T) {
	t.Parallel()
	s := &Service{Secrets: []string{testSecret}}
	for role, want := range map[string]error{
		"anon": ErrUser, "authenticated": ErrUser, "editor": ErrUser, "": nil, "service_role": nil, "supabase_admin": nil,
	} {
		raw, err := Mint(testSecret, map[string]any{"role": role})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(raw, testNow()); err != want {
			t.Errorf("role %q: %v", role, err)
		}
	}
}

func TestMintedTokensVerify(t *testing.T) {
	t.Parallel()
	raw, err := Mint(testSecret, map[string]any{"role": "anon", "exp": testTime + 1})
	if err != nil {
		t.Fatal(err)
	}
	token, err := testKeys(t, nil).Verify(raw, testNow())
	if err != nil || token.Claims.Role != "anon" || token.Claims.Expires != testTime+1 {
		t.Errorf("token is %+v, %v", token, err)
	}
	bare, err := Mint(testSecret, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Service{Secrets: []string{testSecret}}).Verify(bare, testNow()); err != nil {
		t.Errorf("token without claims: %v", err)
	}
	if _, err := Mint("", nil); err == nil {
		t.Error("minted with the empty secret")
	}
	if _, err := Mint(testSecret, map[string]any{"f": func() {}}); err == nil {
		t.Error("minted what JSON cannot hold")
	}
}

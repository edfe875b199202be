package auth

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// collect runs the garbage collector until done. Cleanups run after it in their
// own time, and there is nothing to wait on that would not itself need one.
func collect(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("nothing was collected")
		}
		runtime.GC()
	}
}

func TestAVerifiedTokenIsKeptWhileItIsHeld(t *testing.T) {
	t.Parallel()
	k := testKeys(t, nil)
	raw := hs256(goodClaims)
	first, err := k.Verify(raw, testNow())
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	second, err := k.Verify(raw, testNow())
	if err != nil || second != first {
		t.Fatalf("second is %p, %v, want %p", second, err, first)
	}
	gone := make(chan struct{})
	runtime.AddCleanup(first, func(c chan struct{}) { close(c) }, gone)
	runtime.KeepAlive(first)
	runtime.KeepAlive(second)
	collect(t, func() bool {
		select {
		case <-gone:
			return k.verified.size() == 0
		default:
			return false
		}
	})
	if again, err := k.Verify(raw, testNow()); err != nil || again.Claims.Role != "authenticated" {
		t.Errorf("verified again: %+v, %v", again, err)
	}
}

func TestARememberedTokenStillExpires(t *testing.T) {
	t.Parallel()
	k := testKeys(t, nil)
	raw := hs256(goodClaims)
	token, err := k.Verify(raw, testNow())
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Verify(raw, testNow().Add(61*time.Second))
	wantTexts(t, err, 401, "Token has expired", "InvalidJWTToken",
		"InvalidJWTToken: Token has expired 1 seconds ago", "Token has expired 1 seconds ago")
	if _, err := k.Verify(raw, testNow()); err != nil {
		t.Errorf("at the earlier time: %v", err)
	}
	runtime.KeepAlive(token)
}

func TestFailuresAreNotRemembered(t *testing.T) {
	t.Parallel()
	k := testKeys(t, nil)
	for _, raw := range []string{hs256(`{"exp":1700000060}`), hs256(`{"role":"r","exp":1}`), "x.y.z"} {
		if _, err := k.Verify(raw, testNow()); err == nil {
			t.Errorf("%s was accepted", raw)
		}
	}
	if n := k.verified.size(); n != 0 {
		t.Errorf("%d tokens are remembered", n)
	}
}

func TestManyAtOnceGetOneToken(t *testing.T) {
	t.Parallel()
	k := testKeys(t, nil)
	raw := hs256(goodClaims)
	tokens := make([]*Token, 64)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			if i%8 == 0 {
				runtime.GC()
			}
			tokens[i], _ = k.Verify(raw, testNow())
		})
	}
	wg.Wait()
	for _, token := range tokens {
		if token == nil || token != tokens[0] {
			t.Fatalf("got %p and %p", token, tokens[0])
		}
	}
}

func TestDropLeavesANewValueInPlace(t *testing.T) {
	t.Parallel()
	var s shelf[Token]
	old, young := &Token{}, &Token{}
	s.keep(digest{1}, old)
	p := place[Token]{sum: digest{1}, pointer: s.held[digest{1}]}
	delete(s.held, digest{1})
	s.keep(digest{1}, young)
	s.drop(p)
	if s.get(digest{1}) != young {
		t.Error("the new value is gone")
	}
	runtime.KeepAlive(old)
}

func TestVerifierForgetsATenantWithItsSnapshot(t *testing.T) {
	t.Parallel()
	v := &Verifier{}
	tenants := func() int {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.tenants)
	}
	snapshot := &tutti.Tenant{ExternalID: "acme", JWTSecret: testSecret}
	if _, err := v.Verify(snapshot, hs256(goodClaims), testNow()); err != nil {
		t.Fatal(err)
	}
	if tenants() != 1 || v.shared.size() != 1 {
		t.Fatalf("%d tenants, %d keys", tenants(), v.shared.size())
	}
	runtime.KeepAlive(snapshot)
	collect(t, func() bool { return tenants() == 0 && v.shared.size() == 0 })
}

func TestSnapshotsWithTheSameKeysShareTokens(t *testing.T) {
	t.Parallel()
	v := &Verifier{}
	raw := hs256(goodClaims)
	verify := func(t *tutti.Tenant) *Token { return must(v.Verify(t, raw, testNow())) }
	first := &tutti.Tenant{ExternalID: "acme", JWTSecret: testSecret}
	token := verify(first)
	if verify(first) != token {
		t.Error("the same snapshot gives another token")
	}
	if verify(&tutti.Tenant{ExternalID: "acme", JWTSecret: testSecret, MaxEventsPerSecond: 7}) != token {
		t.Error("a snapshot with other limits gives another token")
	}
	if verify(&tutti.Tenant{ExternalID: "other", JWTSecret: testSecret}) == token {
		t.Error("another tenant gives the same token")
	}
	runtime.KeepAlive(first)

	// The token alone keeps the keys, so the next snapshot finds it.
	collect(t, func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.tenants) == 0
	})
	if verify(&tutti.Tenant{ExternalID: "acme", JWTSecret: testSecret}) != token {
		t.Error("a later snapshot gives another token")
	}
}

func TestAChangedSecretIsObeyedAtOnce(t *testing.T) {
	t.Parallel()
	v := &Verifier{}
	raw := hs256(goodClaims)
	token, err := v.Verify(&tutti.Tenant{ExternalID: "acme", JWTSecret: testSecret}, raw, testNow())
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(&tutti.Tenant{ExternalID: "acme", JWTSecret: "changed"}, raw, testNow())
	if err == nil {
		t.Error("the old token is still accepted")
	}
	runtime.KeepAlive(token)
}

func TestATenantWithABrokenKeySetHasNoSigner(t *testing.T) {
	t.Parallel()
	v := &Verifier{}
	_, err := v.Verify(&tutti.Tenant{JWTSecret: testSecret, JWTJWKS: []byte(`{"keys":7}`)}, hs256(goodClaims), testNow())
	const text = "Failed to generate JWT signer, check your JWT secret or JWKS configuration"
	wantTexts(t, err, 401, text, "ErrorConnectingToWebsocket", "JwtSignerError: "+text, ":error_generating_signer")
	if f := err.(*Failure); f.Unwrap() == nil {
		t.Error("the reason is not wrapped")
	}
}

func TestVerifierHandsItsValidatorsOn(t *testing.T) {
	t.Parallel()
	v := &Verifier{Validators: map[string]any{"sub": "u2"}}
	if _, err := v.Verify(&tutti.Tenant{JWTSecret: testSecret}, hs256(goodClaims), testNow()); err == nil {
		t.Error("the claim sub is not checked")
	}
}

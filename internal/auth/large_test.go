package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A JWK set of megabytes is not read, and does not let anybody in.
func TestAKeySetThatIsTooLarge(t *testing.T) {
	t.Parallel()
	one := okpJWK("k", "Ed25519", make([]byte, 32)) + ","
	large := `{"keys":[` + strings.Repeat(one, maxKeySet/len(one)+1) + octJWK("oct", octSecret) + `]}`
	began := time.Now()
	_, err := (&Verifier{}).Verify(&tutti.Tenant{JWTJWKS: []byte(large)}, hs256(goodClaims), testNow())
	if err == nil || !strings.Contains(err.Error(), "262144 at most") || strings.Contains(err.Error(), octSecret) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("that took %v", took)
	}
	some := `{"keys":[` + strings.Repeat(one, 100) + octJWK("oct", octSecret) + `]}`
	if _, err := NewKeys("", []byte(some), nil); err != nil {
		t.Errorf("a hundred keys are too many: %v", err)
	}
}

package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/tutti-realtime/tutti"
)

// A Verifier verifies the tokens of all tenants. It makes the keys of a tenant
// when they are first needed and forgets them with the tenant. Its zero value
// is ready; it must not be copied once it is in use.
type Verifier struct {
	Validators map[string]any // JWT_CLAIM_VALIDATORS: claim to required value; may be nil

	mu      sync.Mutex // guards tenants; no other lock is taken under it
	tenants map[weak.Pointer[tutti.Tenant]]*Keys

	// shared lets snapshots of a tenant that agree on its keys have the same
	// ones. A tenant is read again every half minute; without this each reading
	// would begin an empty cache of tokens.
	shared shelf[Keys]
}

// Verify is Keys.Verify with the keys of the tenant. A tenant whose JWK set
// cannot be read has no keys: the error is still a *Failure, and wraps the
// reason.
func (v *Verifier) Verify(t *tutti.Tenant, raw string, now time.Time) (*Token, error) {
	keys, err := v.keys(t)
	if err != nil {
		return nil, &Failure{kind: noSigner, cause: err}
	}
	return keys.Verify(raw, now)
}

func (v *Verifier) keys(t *tutti.Tenant) (*Keys, error) {
	id := weak.Make(t)
	if k := v.known(id); k != nil {
		return k, nil
	}
	sum := keySum(t)
	k := v.shared.get(sum)
	if k == nil {
		made, err := NewKeys(t.JWTSecret, t.JWTJWKS, v.Validators)
		if err != nil {
			return nil, err
		}
		k = v.shared.keep(sum, made)
	}
	return v.remember(t, k), nil
}

func (v *Verifier) known(id weak.Pointer[tutti.Tenant]) *Keys {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.tenants[id]
}

func (v *Verifier) remember(t *tutti.Tenant, k *Keys) *Keys {
	id := weak.Make(t)
	v.mu.Lock()
	defer v.mu.Unlock()
	if first, ok := v.tenants[id]; ok {
		return first
	}
	if v.tenants == nil {
		v.tenants = make(map[weak.Pointer[tutti.Tenant]]*Keys)
	}
	v.tenants[id] = k
	runtime.AddCleanup(t, v.forget, id)
	return k
}

func (v *Verifier) forget(id weak.Pointer[tutti.Tenant]) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.tenants, id)
}

// keySum is equal for snapshots of one tenant that have the same keys. Lengths
// go in too, so that no field can pass for the end of another.
func keySum(t *tutti.Tenant) digest {
	var text []byte
	for _, field := range []string{t.ExternalID, t.JWTSecret, string(t.JWTJWKS)} {
		text = binary.BigEndian.AppendUint64(text, uint64(len(field)))
		text = append(text, field...)
	}
	return sha256.Sum256(text)
}

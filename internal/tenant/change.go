package tenant

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/tutti-realtime/tutti"
)

// Disconnects reports whether a change of a tenant ends the connections of its
// clients (protocol.md §1.8): its secret, its keys, private_only or suspend
// changed, or it was deleted, which is after == nil. Nobody is disconnected by
// other limits, nor by the creation of a tenant.
func Disconnects(before, after *tutti.Tenant) bool {
	if before == nil {
		return false
	}
	return after == nil ||
		before.JWTSecret != after.JWTSecret ||
		before.PrivateOnly != after.PrivateOnly ||
		before.Suspend != after.Suspend ||
		!sameJSON(before.JWTJWKS, after.JWTJWKS)
}

// sameJSON reports whether two texts mean the same. A store may hand out the
// same keys in another order or with other spaces.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

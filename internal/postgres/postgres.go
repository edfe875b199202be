// Package postgres knows every line of SQL of the server. internal/app opens the
// Control and hands it to the rooms that need it, each through an interface of
// its own. It owns its connections, and no goroutine: Listen runs on its
// caller's.
//
// Files that begin with control are about the control database, in which the
// tenants lie (database.md §1).
package postgres

import "errors"

// ErrNoSecret says that a tenant has neither a JWT secret nor a key set, with
// which the tables hold none.
var ErrNoSecret = errors.New("either jwt_secret or jwt_jwks must be provided")

// Cipher seals the secrets of tenants, and opens them. *secret.Cipher does.
type Cipher interface {
	Seal(text string) (string, error)
	Open(sealed string) (string, error)
	// Legacy reports whether a sealed text is of the form that Reseal replaces.
	Legacy(sealed string) bool
}

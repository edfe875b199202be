// Package secret seals the secrets of tenants that lie in the control database,
// and opens them again. internal/app makes the Cipher out of the settings
// DB_ENC_KEY, DB_ENC_KEY_GCM and DB_ENC_WRITE_GCM, and internal/postgres uses
// it. It owns nothing and does no I/O but to ask for random bytes.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"
)

// Lengths of the keys in bytes.
const (
	legacyKeySize = 16
	gcmKeySize    = 32
)

// Config is the settings of a Cipher, each under the name that the reference
// gives it. The bytes of a key are the key; they are not decoded.
type Config struct {
	Key      string // DB_ENC_KEY, 16 bytes; may be empty where KeyGCM seals
	KeyGCM   string // DB_ENC_KEY_GCM, 32 bytes, or empty
	WriteGCM bool   // DB_ENC_WRITE_GCM: seal with KeyGCM, if there is one
}

// Cipher seals and opens texts. There are two forms (database.md §1.4):
//
//	g1:BASE64   AES-256-GCM: iv of 12 bytes, tag of 16, ciphertext
//	BASE64      legacy, AES-128-ECB with PKCS#7 padding
//
// The legacy form hides a text from those who read the database only by
// accident: equal texts look equal, and a changed one is not always noticed.
// It is here because databases are full of it.
type Cipher struct {
	legacy   cipher.Block // nil without a key
	gcm      cipher.AEAD  // nil without a key
	writeGCM bool
}

// New returns a Cipher. The error names the setting that is wrong, and no key.
func New(c Config) (*Cipher, error) {
	s := &Cipher{writeGCM: c.WriteGCM && c.KeyGCM != ""}
	if c.KeyGCM != "" {
		if len(c.KeyGCM) != gcmKeySize {
			return nil, fmt.Errorf("DB_ENC_KEY_GCM must be %d bytes long, not %d", gcmKeySize, len(c.KeyGCM))
		}
		block, err := aes.NewCipher([]byte(c.KeyGCM))
		if err != nil {
			return nil, fmt.Errorf("use DB_ENC_KEY_GCM: %w", err)
		}
		if s.gcm, err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("use DB_ENC_KEY_GCM: %w", err)
		}
	}
	if c.Key == "" && s.writeGCM {
		return s, nil
	}
	if len(c.Key) != legacyKeySize {
		return nil, fmt.Errorf("DB_ENC_KEY must be %d bytes long, not %d", legacyKeySize, len(c.Key))
	}
	var err error
	if s.legacy, err = aes.NewCipher([]byte(c.Key)); err != nil {
		return nil, fmt.Errorf("use DB_ENC_KEY: %w", err)
	}
	return s, nil
}

// WritesGCM reports whether Seal writes AES-GCM. Without a key for it Seal
// writes the legacy form, whatever DB_ENC_WRITE_GCM says; the caller warns.
func (c *Cipher) WritesGCM() bool { return c.writeGCM }

// Legacy reports whether a sealed text is of the legacy form. A text of that
// form cannot begin as the other does, since base64 has no colon.
func (c *Cipher) Legacy(sealed string) bool { return !strings.HasPrefix(sealed, gcmPrefix) }

// Seal returns text as it may lie in the control database.
func (c *Cipher) Seal(text string) (string, error) {
	if c.writeGCM {
		return c.sealGCM(text), nil
	}
	return c.sealLegacy(text), nil
}

// Open returns the text of a sealed one. The error tells neither.
func (c *Cipher) Open(sealed string) (string, error) {
	rest, isGCM := strings.CutPrefix(sealed, gcmPrefix)
	switch {
	case isGCM && c.gcm == nil:
		return "", errors.New("open secret: it is sealed with AES-GCM, and DB_ENC_KEY_GCM is not set")
	case isGCM:
		return c.openGCM(rest)
	case c.legacy == nil:
		return "", errors.New("open secret: it is of the legacy form, and DB_ENC_KEY is not set")
	default:
		return c.openLegacy(rest)
	}
}

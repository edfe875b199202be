package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
)

// gcmPrefix begins every text that is sealed with AES-GCM.
const gcmPrefix = "g1:"

const (
	ivSize  = 12
	tagSize = 16
)

// sealGCM seals under a fresh random iv. Of 2^32 texts under one key two may
// share an iv with a chance of 2^-32; there are some ten for each tenant.
func (c *Cipher) sealGCM(text string) string {
	parcel := make([]byte, ivSize+tagSize, ivSize+2*tagSize+len(text))
	iv := parcel[:ivSize]
	rand.Read(iv) // it ends the program rather than return an error
	parcel = c.gcm.Seal(parcel, iv, []byte(text), nil)
	// Go puts the tag behind the ciphertext, the stored form before it.
	tag := parcel[len(parcel)-tagSize:]
	copy(parcel[ivSize:], tag)
	return gcmPrefix + base64.StdEncoding.EncodeToString(parcel[:len(parcel)-tagSize])
}

func (c *Cipher) openGCM(encoded string) (string, error) {
	parcel, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", errors.New("open secret: what follows g1: is not base64")
	}
	if len(parcel) < ivSize+tagSize {
		return "", errors.New("open secret: it is too short for AES-GCM")
	}
	iv, tag, ciphertext := parcel[:ivSize], parcel[ivSize:ivSize+tagSize], parcel[ivSize+tagSize:]
	joined := make([]byte, 0, len(ciphertext)+tagSize)
	joined = append(append(joined, ciphertext...), tag...)
	text, err := c.gcm.Open(joined[:0], iv, joined, nil)
	if err != nil {
		return "", errors.New("open secret: it was sealed with another DB_ENC_KEY_GCM, or was changed since")
	}
	return string(text), nil
}

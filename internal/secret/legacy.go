package secret

import (
	"bytes"
	"crypto/aes"
	"encoding/base64"
	"errors"
)

// sealLegacy encrypts block by block, each by itself.
func (c *Cipher) sealLegacy(text string) string {
	// There is always padding: a text of whole blocks gets one more.
	pad := aes.BlockSize - len(text)%aes.BlockSize
	blocks := append([]byte(text), bytes.Repeat([]byte{byte(pad)}, pad)...)
	for b := blocks; len(b) > 0; b = b[aes.BlockSize:] {
		c.legacy.Encrypt(b[:aes.BlockSize], b[:aes.BlockSize])
	}
	return base64.StdEncoding.EncodeToString(blocks)
}

func (c *Cipher) openLegacy(encoded string) (string, error) {
	blocks, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", errors.New("open secret: it is not base64")
	}
	if len(blocks) == 0 || len(blocks)%aes.BlockSize != 0 {
		return "", errors.New("open secret: it is not made of whole AES blocks")
	}
	for b := blocks; len(b) > 0; b = b[aes.BlockSize:] {
		c.legacy.Decrypt(b[:aes.BlockSize], b[:aes.BlockSize])
	}
	pad := int(blocks[len(blocks)-1])
	if pad == 0 || pad > aes.BlockSize {
		return "", errors.New("open secret: it was sealed with another DB_ENC_KEY")
	}
	text, padding := blocks[:len(blocks)-pad], blocks[len(blocks)-pad:]
	if !bytes.Equal(padding, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return "", errors.New("open secret: it was sealed with another DB_ENC_KEY")
	}
	return string(text), nil
}

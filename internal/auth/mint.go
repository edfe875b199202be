package auth

import (
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Mint signs claims with HS256. It adds none: a token for clients needs at
// least "role" and "exp" (Unix seconds).
func Mint(secret string, claims map[string]any) (string, error) {
	if secret == "" {
		return "", errors.New("mint token: the secret is empty")
	}
	if claims == nil {
		claims = map[string]any{}
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims)).SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	return text, nil
}

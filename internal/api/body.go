package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// maxBody is the largest body in bytes that is read.
const maxBody = 8_000_000

const (
	mediaJSON  = "application/json"
	mediaBytes = "application/octet-stream"
)

// readBody returns the body of a request and its media type without
// parameters. A body that says it is JSON is valid, or empty. One without a
// media type is passed over, as in the reference.
func readBody(r *http.Request) (body []byte, mediaType string, err error) {
	mediaType, _, _ = strings.Cut(r.Header.Get("Content-Type"), ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	if r.ContentLength > maxBody {
		return nil, "", bare(http.StatusRequestEntityTooLarge)
	}
	// The length that was announced is not trusted with memory: the buffer
	// grows with what comes.
	body, err = io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	var shut *gate.Refusal
	var stranger *Refusal
	switch {
	case errors.As(err, &shut), errors.As(err, &stranger): // what knock has put before the body
		return nil, "", err
	case errors.As(err, &tooLarge):
		return nil, "", bare(http.StatusRequestEntityTooLarge)
	case err != nil:
		return nil, "", fmt.Errorf("read body: %w: %w", bare(http.StatusBadRequest), err)
	case mediaType == "":
		return nil, "", nil
	case isJSON(mediaType) && len(body) > 0 && !phoenix.Valid(body):
		return nil, "", bare(http.StatusBadRequest)
	}
	return body, mediaType, nil
}

// isJSON reports whether a body of this media type must be JSON.
func isJSON(mediaType string) bool {
	return mediaType == mediaJSON ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

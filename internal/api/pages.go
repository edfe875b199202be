package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// notBuilt is shown in place of the pages.
const notBuilt = `This is a Tutti server. It runs, but its browser pages were not built into it.
Clients connect to /socket/websocket. To get the pages, run make and start it again.
`

// contentPolicy is the one that the pages carry themselves, and forbids frames.
// A page may connect to any server, because a developer may name any.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self' ws: wss: http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// secure keeps a page from what it has no need of.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// page serves the browser pages. It gets every path that is nothing else.
func (a *API) page(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if r.Method != http.MethodGet && r.Method != http.MethodHead || hidden(name) {
		answerBare(w, r, http.StatusNotFound)
		return
	}
	bare := name == "" || name == "classroom" // people type these
	switch name {
	case "":
		name = "index.html"
	case "classroom":
		name = "classroom.html"
	}
	data, err := a.file(name)
	switch {
	case err == nil:
		serveFile(w, r, name, data)
	case !errors.Is(err, fs.ErrNotExist):
		a.fail(w, r, err)
	case bare:
		write(w, http.StatusOK, "text/plain; charset=utf-8", []byte(notBuilt))
	default:
		answerBare(w, r, http.StatusNotFound)
	}
}

// file returns a page's content, or an error that is fs.ErrNotExist.
func (a *API) file(name string) ([]byte, error) {
	if a.Pages == nil || !fs.ValidPath(name) {
		return nil, fs.ErrNotExist
	}
	info, err := fs.Stat(a.Pages, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	return fs.ReadFile(a.Pages, name)
}

// hidden reports whether a file is not for browsers, such as ".gitkeep".
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}

// serveFile answers with a file. A name below assets/ never comes to mean other
// content; all else is asked for again each time, which costs a 304.
func serveFile(w http.ResponseWriter, r *http.Request, name string, data []byte) {
	h := w.Header()
	secure(h)
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		sum := sha256.Sum256(data)
		h.Set("Etag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
		h.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

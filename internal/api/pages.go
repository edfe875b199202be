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

	"github.com/tutti-realtime/tutti/internal/gate"
)

// notBuilt is shown in place of the pages.
const notBuilt = `This is a Tutti server. It runs, but its browser pages were not built into it.
Clients connect to /socket/websocket. To get the pages, run make and start it again.
`

// needs returns what a page cannot do without. A developer may have the console
// and the classroom connect to any server.
func needs(name string) gate.Needs {
	switch name {
	case "index.html":
		return gate.Needs{AnyServer: true, Features: []string{"clipboard-write"}}
	case "classroom.html":
		return gate.Needs{AnyServer: true, Features: []string{"clipboard-write", "midi"}}
	}
	return gate.Needs{Features: []string{"clipboard-write"}}
}

// page serves the browser pages. It gets every path that is nothing else.
func (a *API) page(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if r.Method != http.MethodGet && r.Method != http.MethodHead || hidden(name) {
		answerBare(w, r, http.StatusNotFound)
		return
	}
	bare := name == "" || name == "classroom" || name == "admin" // people type these
	switch name {
	case "":
		name = "index.html"
	case "classroom":
		name = "classroom.html"
	case "admin", "admin/":
		name = "admin.html"
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
	gate.Page(h, needs(name))
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		sum := sha256.Sum256(data)
		h.Set("Etag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
		h.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

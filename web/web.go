// Package web holds the pages that people open in a browser, as npm built them:
// the console for developers, the status of the nodes, the music classroom and the
// console of whoever runs the server.
// internal/api serves them. It owns one read-only file tree inside the binary,
// no goroutine and no state.
package web

import (
	"embed"
	"fmt"
	"io/fs"
)

// The placeholder dist/.gitkeep lets the program compile before npm has run.
//
//go:embed all:dist
var dist embed.FS

// Files returns the built pages with index.html, status.html, classroom.html and
// admin.html at the root and everything that they load below assets/, whose file
// names change with their content.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(fmt.Sprintf("web: open the embedded pages: %v", err)) // "dist" is a valid path
	}
	return files
}

// Built reports whether the pages were built before the program was compiled.
// If not, Files holds nothing worth serving.
func Built() bool {
	_, err := fs.Stat(Files(), "index.html")
	return err == nil
}

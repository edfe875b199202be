package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// The linker sets these; see scripts/release. A build of `go install` has the
// first from its module, and one of a checkout has the others from git.
var (
	version = "dev"
	commit  = ""
	date    = "" // of the commit: that of the build would make each build another
)

// A buildDescription says what a binary was built from.
type buildDescription struct {
	Version string        `json:"version"`
	Commit  string        `json:"commit"`
	Date    string        `json:"date"` // of the commit, RFC 3339
	Go      string        `json:"go"`
	OS      string        `json:"os"`
	Arch    string        `json:"arch"`
	Modules []builtModule `json:"modules,omitempty"`
}

type builtModule struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum"` // as go.sum has it
}

const unknown = "unknown"

// describeBuild returns what is known of this binary.
func describeBuild() buildDescription {
	d := buildDescription{Version: version, Commit: commit, Date: date, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		d.learn(info)
	}
	d.Commit, d.Date = cmp.Or(d.Commit, unknown), cmp.Or(d.Date, unknown)
	return d
}

// learn takes from what Go has noted whatever the linker was not told.
func (d *buildDescription) learn(info *debug.BuildInfo) {
	if v := info.Main.Version; d.Version == "dev" && v != "" && v != "(devel)" {
		d.Version = v
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if d.Commit == "" {
		d.Commit, d.Date = settings["vcs.revision"], settings["vcs.time"]
		if settings["vcs.modified"] == "true" {
			d.Commit += "-dirty"
		}
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.Modules = append(d.Modules, builtModule{m.Path, m.Version, m.Sum})
	}
}

type versionCommand struct {
	JSON    bool `help:"Print JSON."`
	Modules bool `help:"Name the modules as well that were built in, with their checksums."`
}

// Run prints the version and what it was built from.
func (v *versionCommand) Run() error {
	d := describeBuild()
	if !v.Modules {
		d.Modules = nil
	}
	if v.JSON {
		return printJSON(d)
	}
	fmt.Printf("tutti %s (commit %s of %s, %s, %s/%s)\n", d.Version, d.Commit, d.Date, d.Go, d.OS, d.Arch)
	for _, m := range d.Modules {
		fmt.Println(m.Path, m.Version, m.Sum)
	}
	return nil
}

package main

import (
	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/extension/music"
)

// extensions lists the extensions of this server, one line each. See
// docs/extensions.md.
func extensions() []tutti.Extension {
	return []tutti.Extension{
		music.Extension(),
	}
}

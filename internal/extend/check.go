package extend

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/tutti-realtime/tutti"
)

var keys = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// reserved are types of extensions that are no extensions, and the beginnings of the
// server's own metrics.
var reserved = []string{"postgres", "postgres_cdc_rls", "socket", "deliveries", "extension", "extensions", "feed", "cluster"}

// Check returns what is wrong with a list of extensions: it is a fault of whoever
// built the server.
func Check(all []tutti.Extension) error {
	seen := map[string]bool{}
	for i := range all {
		e := &all[i]
		switch {
		case !keys.MatchString(e.Key):
			return fmt.Errorf("the key %q of an extension must be lower-case letters, digits and underscores, and begin with a letter", e.Key)
		case slices.Contains(reserved, e.Key):
			return fmt.Errorf("the key %q is not for extensions", e.Key)
		case seen[e.Key]:
			return fmt.Errorf("there are two extensions with the key %q", e.Key)
		case e.Rooms != nil && e.Open == nil:
			return fmt.Errorf("the extension %q has rooms, but opens none", e.Key)
		}
		for _, name := range e.Reserved {
			if e.Events != nil && e.Events(name) {
				return fmt.Errorf("the event %q of the extension %q cannot be both for the actor and reserved for rooms to send", name, e.Key)
			}
		}
		seen[e.Key] = true
		for _, r := range e.Routes {
			if r.Method == "" || r.Serve == nil {
				return fmt.Errorf("the route %q of the extension %q needs a method and what serves it", r.Path, e.Key)
			}
		}
	}
	return nil
}

package music

import (
	"encoding/json"
	"strings"

	"github.com/tutti-realtime/tutti"
)

// guest begins the names of those whose token says nobody in particular, so that
// no guest can take the name of somebody else.
const guest = "guest:"

const longestDisplay = 64 // characters of a name or a part

// identify returns the name of a member in all events. Guests choose the key of
// their presence themselves, so it counts only where joins are believed.
func (s *Settings) identify(m *tutti.Member) string {
	switch {
	case m.Claims.Subject != "" && len(m.Claims.Subject) <= maxName:
		return clean(m.Claims.Subject)
	case s.TrustJoin && m.Key != "" && len(m.Key) <= maxName-len(guest):
		return guest + clean(m.Key)
	}
	return guest + m.ID
}

// claimed returns the role that a token gives, or that a join names where joins are
// believed.
func (s *Settings) claimed(m *tutti.Member) Role {
	role := s.byToken(m)
	if s.TrustJoin {
		role = max(role, roleOf(joinText(m.Join, "role")))
	}
	return role
}

// byToken returns the role that a token gives.
func (s *Settings) byToken(m *tutti.Member) Role {
	named, _ := lookUp(m.Claims.Raw, s.RoleClaim)
	return roleOf(named)
}

// roleOf returns the role of a name, Nobody for one that is none.
func roleOf(name string) (r Role) {
	if r.UnmarshalText([]byte(name)) != nil {
		return Nobody
	}
	return r
}

// lookUp returns the text at a path in JSON objects.
func lookUp(text json.RawMessage, path []string) (string, bool) {
	for _, name := range path {
		var object map[string]json.RawMessage
		if len(text) == 0 || json.Unmarshal(text, &object) != nil {
			return "", false
		}
		text = object[name]
	}
	var value string
	return value, len(text) > 0 && json.Unmarshal(text, &value) == nil
}

// joinText returns what a join says, "" when it is no text. It may stand beside the
// key of the presence, the only place where today's clients let their users put it, or
// at the top.
func joinText(join json.RawMessage, name string) string {
	text, found := lookUp(join, []string{"config", "presence", name})
	if !found {
		text, _ = lookUp(join, []string{name})
	}
	return strings.TrimSpace(text)
}

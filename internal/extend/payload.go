package extend

import (
	"slices"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// maxJoin is the largest payload of a join that actors are shown, in bytes: it is
// kept as long as the member is there.
const maxJoin = 64 << 10

// withoutTokens returns a copy of the payload of a join without the tokens in it.
func withoutTokens(join []byte) []byte {
	if len(join) == 0 || len(join) > maxJoin {
		return nil
	}
	out := append(make([]byte, 0, len(join)), '{')
	for key, value := range phoenix.Members(join) {
		if key == "access_token" || key == "user_token" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(phoenix.AppendString(out, key), ':')
		out = append(out, value...)
	}
	return slices.Clip(append(out, '}'))
}

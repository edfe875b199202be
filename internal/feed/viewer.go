package feed

import (
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/rls"
)

// An identity is what policies can tell of who asks.
type identity struct{ role, claims string }

// A viewer is an identity with subscriptions. Those of equal identity are asked
// about once.
type viewer struct {
	identity
	postgres.Viewer
	uses int // subscriptions

	judges map[*rls.Plan]*rls.Judge // nil where the database must be asked
	keys   map[*rls.Plan]string     // what it is found by, see rls.Plan.Key; none where it is not
	plan   *rls.Plan                // of the judge that was used last
	judge  *rls.Judge

	looks map[uint32]*look     // of the batch at hand, by table
	bench map[uint32]time.Time // until when it is not asked about a table whose policies take too long
}

// A look is what is asked for a viewer about a table.
type look struct {
	postgres.Look
	last *tutti.Change // whose row was added last
}

// view returns the viewer of an identity, and counts one more use.
func (r *reader) view(role string, claims []byte) *viewer {
	id := identity{role, string(claims)}
	v := r.viewers[id]
	if v == nil {
		v = &viewer{identity: id, Viewer: postgres.Viewer{Role: role, Claims: claims}}
		r.viewers[id] = v
	}
	v.uses++
	return v
}

// leave counts one use less, and forgets a viewer that has none.
func (r *reader) leave(v *viewer) {
	if v.uses--; v.uses == 0 {
		delete(r.viewers, v.identity)
	}
}

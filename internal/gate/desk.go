package gate

import "context"

// Desk waits until a signature may be checked, and returns what must be called
// when that is done. Some kinds of signature take a millisecond, anybody can send
// a wrong one, and the event loops need the processor too. The error is
// a *Refusal when too many wait.
func (g *Gate) Desk(ctx context.Context) (leave func(), err error) {
	if g == nil {
		return func() {}, nil
	}
	select {
	case g.desks <- struct{}{}:
		return g.leave, nil
	default:
	}
	if n := g.waiting.Add(1); g.Settings.Waiting > 0 && n > int64(g.Settings.Waiting) {
		g.waiting.Add(-1)
		g.Metrics.refused(ServerOverloaded)
		return nil, errOverloaded
	}
	defer g.waiting.Add(-1)
	select {
	case g.desks <- struct{}{}:
		return g.leave, nil
	case <-ctx.Done():
		return nil, errOverloaded // which nobody hears: the caller has left
	}
}

func (g *Gate) leave() { <-g.desks }

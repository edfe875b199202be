package extend

import (
	"context"

	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A NodeBus is a bus of the cluster: a *cluster.Bus, or a *cluster.Local where
// there is one node.
type NodeBus interface {
	Tell(to, name string, payload []byte) error
	Ask(ctx context.Context, to, name string, payload []byte) ([]cluster.Reply, []string, error)
	Hold(ctx context.Context, name string) (*cluster.Lease, error)
}

// On returns a Bus of a cluster's, whose calls have the given name.
func On(bus NodeBus, name string) Bus { return nodeBus{bus, name} }

type nodeBus struct {
	bus  NodeBus
	name string
}

func (b nodeBus) Tell(node string, payload []byte) error { return b.bus.Tell(node, b.name, payload) }

func (b nodeBus) Ask(ctx context.Context, payload []byte) ([]cluster.Reply, []string, error) {
	return b.bus.Ask(ctx, "", b.name, payload)
}

func (b nodeBus) Hold(ctx context.Context, name string) (Lease, uint64, error) {
	l, err := b.bus.Hold(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	return l, uint64(l.Term), nil
}

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
)

// A Link is a bus as one room of the server sees it: for calls of one name, and
// leases. On makes one; models of a network are others.
type Link interface {
	// Tell sends to a node, or with "" to all others. It never blocks. What it
	// sends may be lost, but comes in order.
	Tell(node string, payload []byte) error
	// Ask asks all others; silent are those that did not answer before ctx ended.
	Ask(ctx context.Context, payload []byte) (replies []Reply, silent []string, err error)
	// Hold waits for a lease, and returns its term as well.
	Hold(ctx context.Context, name string) (Right, uint64, error)
}

// A Right says that this node is the owner of a name. *Lease is one.
type Right interface {
	Context() context.Context
	Valid() bool
	Release()
}

// A Node is what a Link is made of: a *Bus, or a *Local where there is one node.
type Node interface {
	Tell(to, name string, payload []byte) error
	Ask(ctx context.Context, to, name string, payload []byte) ([]Reply, []string, error)
	Hold(ctx context.Context, name string) (*Lease, error)
}

// On returns the Link of a node whose calls have the given name.
func On(node Node, name string) Link { return named{node, name} }

type named struct {
	node Node
	name string
}

// Tell implements Link.
func (l named) Tell(node string, payload []byte) error { return l.node.Tell(node, l.name, payload) }

// Ask implements Link.
func (l named) Ask(ctx context.Context, payload []byte) ([]Reply, []string, error) {
	return l.node.Ask(ctx, "", l.name, payload)
}

// Hold implements Link.
func (l named) Hold(ctx context.Context, name string) (Right, uint64, error) {
	lease, err := l.node.Hold(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	return lease, uint64(lease.Term), nil
}

// LeaseName returns the name of a lease of something with a name of any length.
func LeaseName(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:maxName/2] + "#" + hex.EncodeToString(sum[:])
}

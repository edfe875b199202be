package app

import (
	"context"
	"fmt"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/admin"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/relay"
)

// A bus is what carries messages between nodes: cluster.Bus, or cluster.Local
// for a node that is alone.
type bus interface {
	cluster.Node
	Run(context.Context) error
	Publish(tutti.Message)
	Members() []cluster.Member
}

// What nodes say to each other, by the names of calls.
const (
	callPresence    = "presence"    // told: presence.Roster.Receive
	callLimit       = "limit"       // told: limit.Meters.Receive
	callRelay       = "relay"       // told and asked: relay.Relay
	callExtend      = "extend"      // told and asked: extend.Host
	callDismiss     = "dismiss"     // asked: a tenant's clients
	callExpel       = "expel"       // asked: some clients of a tenant
	callReauthorize = "reauthorize" // asked: the same
	callRestart     = "restart"     // asked: a tenant's feed
	callLive        = "live"        // asked: whether a tenant's feed is
	callAdmin       = admin.Call    // told and asked: admin.Console
	callMetrics     = "metrics"     // asked: a node's metrics
)

// openBus makes the node's place among others.
func (a *App) openBus() error {
	if !a.config.Cluster.Several() {
		a.local = &cluster.Local{Self: cluster.Member{
			ID: a.config.AppName, Epoch: uint64(a.began.UnixNano()), Region: a.config.Region, Version: a.config.Version,
		}}
		a.bus = a.local
		return nil
	}
	if a.dev != nil && a.control == nil && a.config.DevSecret == "" && a.config.DevJWKS == "" {
		return fmt.Errorf("nodes of a cluster need the same secret for the tenant %q: set API_JWT_SECRET on all of them", a.dev.ExternalID)
	}
	settings, err := a.config.bus()
	if err != nil {
		return err
	}
	if a.several, err = cluster.New(settings, a.log); err != nil {
		return fmt.Errorf("join the cluster: %w", err)
	}
	a.bus = a.several
	return nil
}

// connect makes the bus bring what arrives to its room, and take away what
// rooms have for other nodes.
func (a *App) connect() error {
	if a.several == nil {
		a.local.Arrive = a.topics.Deliver
		return nil
	}
	b := a.several
	peers, err := a.discovery()
	if err != nil {
		return err
	}
	b.Arrive, b.Peers, b.Load = a.topics.Deliver, peers, a.load
	b.Told, b.Asked, b.Changed, b.Missed = a.told, a.asked, a.changed, a.missed
	a.topics.Wanted = func(t tutti.Topic, yes bool) {
		b.Want(t, yes)
		if yes {
			a.roster.Listen(t)
		} else {
			a.roster.Unlisten(t)
		}
	}
	a.roster.Node, a.roster.Epoch = b.Members()[0].ID, b.Epoch()
	a.roster.Tell = func(node string, payload []byte) { _ = b.Tell(node, callPresence, payload) } // it makes good what is lost
	a.relay = &relay.Relay{
		Node: a.roster.Node, Epoch: b.Epoch(), Bus: cluster.On(b, callRelay), Log: a.log, Keep: time.Duration(a.config.Rows.Keep),
	}
	a.feeds.Relay = a.relay
	a.meters.Tell = func(node string, payload []byte) error { return b.Tell(node, callLimit, payload) }
	return nil
}

// told takes what another node says. It does not block.
func (a *App) told(c cluster.Call) {
	var err error
	switch c.Name {
	case callPresence:
		err = a.roster.Receive(c.Node, c.Epoch, c.Payload)
	case callLimit:
		err = a.meters.Receive(c.Node, c.Payload)
	case callRelay:
		a.relay.Receive(c.Node, c.Payload)
	case callExtend:
		err = a.extensions.Receive(c.Node, c.Payload)
	case callAdmin:
		err = a.console.Receive(c.Node, c.Payload)
	default:
		err = errUnknownCall
	}
	if err != nil {
		a.log.Warn("what another node said was not understood", "node", c.Node, "call", c.Name, "err", err)
	}
}

// changed tells the rooms what happens to other nodes.
func (a *App) changed(e cluster.Event) {
	id, epoch := e.Member.ID, e.Member.Epoch
	switch e.Kind {
	case cluster.Joined:
		a.relay.Joined(id, epoch)
		a.roster.Joined(id, epoch)
		a.meters.Joined(id)
		return
	case cluster.Left:
		a.relay.Left(id)
	case cluster.Lost:
		a.relay.Lost(id)
	}
	a.extensions.Lost(id)
	a.roster.Lost(id, epoch)
	a.meters.Left(id)
}

// missed says that messages of other nodes were lost on their way here. What
// presence, limits and changes of rows lost they make good themselves; a broadcast
// that was lost stays so.
func (a *App) missed(topics []tutti.Topic) {
	a.log.Warn("messages of other nodes were lost on their way here", "code", "ClusterMessagesLost", "topics", len(topics))
}

// runBus runs the bus until ctx ends, and takes the node off the list of nodes
// then.
func (a *App) runBus(ctx context.Context) error {
	if a.several == nil {
		return a.bus.Run(ctx)
	}
	err := a.bus.Run(ctx)
	if a.control != nil {
		quick, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := a.control.Withdraw(quick, a.record("")); err != nil {
			a.log.Debug("the node could not be taken off the list of nodes", "err", err)
		}
	}
	return err
}

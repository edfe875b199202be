// Package cluster carries messages between the nodes of a cluster, and is the
// only room that knows that there may be more than one. internal/broadcast and
// internal/presence publish into it; what arrives goes to internal/app.
package cluster

import "github.com/tutti-realtime/tutti"

// Local is a cluster of one node. It owns no goroutine: the event loops that
// messages are queued on are its queues.
type Local struct {
	// Arrive takes each message for the listeners of this node. It only
	// queues: it never blocks and never calls back.
	Arrive func(tutti.Message)
}

// Publish sends a message to every node that has listeners for it. It never
// blocks. Messages of one caller to one topic keep their order.
func (l *Local) Publish(m tutti.Message) { l.Arrive(m) }

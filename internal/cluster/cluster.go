// Package cluster carries messages between the nodes of a cluster, and is the
// only room that knows that there may be more than one. internal/broadcast,
// internal/presence and internal/feed publish into it; what arrives goes to
// internal/app. Local is a cluster of one node, Bus a node of several: the engine
// below is NATS, embedded in the process or anywhere else. It owns the
// connection, what waits to be sent and to be heard, and its leases; Bus.Run
// owns all goroutines.
//
// # Messages
//
// A message goes to the nodes that want its topic (interest.go), in an envelope
// that two releases understand (envelope.go). The sender hands it to its own
// listeners itself and does not hear it again. Each envelope has a number, by
// sender and subject: what was lost on the way is counted, and whoever needs to
// know is told (Bus.Missed). Nothing that is slow makes another wait: whatever
// finds no room is lost.
//
// # Leases
//
// A lease makes one node the owner of a name. It is built on hearing, not on
// storage. JetStream would need three nodes for one to fail, keeps state for
// something that has none, and is not there when the NATS of others is used; a
// majority of a cluster whose size nobody states is not known either. So:
//
// A node that wants a lease asks all nodes that it hears. Each answers for
// itself, that it neither has the lease nor wants it more (each lease has its
// own order of nodes), and that nobody it hears, and the asker does not, may
// have it. With the consent of all the asker is the owner. Two nodes that hear
// each other both need the other's consent, which either gives up its own bid
// with or refuses: so both are never owners.
//
// An owner's right ends 0.6 of Settings.Lost after the last tick of its own
// clock: when it stands still it has no right when it goes on. It ends as well
// when others are surely running and none of them has confirmed a heartbeat for
// as long. Only after 0.8 is a node passed over that is not heard. A node that
// has just started asks when it hears one that has not, or after 0.8.
//
// When a network parts, each side goes on by itself, and both may have an owner:
// under different terms, so that what compares terms lets one of them act, and
// a replication slot has one reader anyway. When they meet again the owner of
// the greater term stays. Where no owner is better than two, Settings.Quorum
// says how many nodes must hear an owner: with more than half of them there are
// never two, whatever the network does, and the smaller side has none.
//
// Model tests (model_test.go) hold the protocol to this in a network that
// delays, loses, doubles, reorders and parts, with nodes that crash, stand
// still and come back.
package cluster

package changes

import "github.com/tutti-realtime/tutti"

// A Subscriber is a channel that wants to hear of changes. It is made by the
// channel, and handed to whoever reads the database; what is exported is not
// changed after that.
type Subscriber struct {
	Tenant  string       // external id
	Topic   string       // of the channel, without "realtime:"
	Claims  tutti.Claims // in whose name policies are asked, at first
	Entries []Entry
	Loop    int // the event loop on which the Hearer lives
	Hearer  Hearer
}

// A Hearer is told what it subscribed to, on its event loop. It may have lost
// interest meanwhile.
type Hearer interface {
	// HearRow is given a change, and the ids of the entries that wanted it, which
	// it must not keep.
	HearRow(r *Row, ids []uint32)
	// HearRows is told how the subscription stands: a system message.
	HearRows(status, message string)
}

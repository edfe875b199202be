package channel

import "github.com/tutti-realtime/tutti/internal/hub"

// A placeholder keeps a topic wanted for a channel that does not hear it yet.
type placeholder struct {
	seat     hub.Seat
	replaced []*Channel // whose phx_close follows the reply to the join
}

// Deliver implements hub.Listener.
func (*placeholder) Deliver(*hub.Message) {}

// announce has the other nodes learn that messages of the topic are to come here
// too: whoever is told that he has joined must not miss the next one. It returns
// nil when they know, or there are none. Else what it returns must be given what
// goes on with the join, once they know; it is not called if that was given up.
func (ch *Channel) announce(replaced []*Channel) (later func(then func())) {
	c := ch.client
	if c.Desk.Roster.Alone() {
		return nil
	}
	ch.proxy = &placeholder{replaced: replaced}
	c.Desk.Shard.Join(ch.topic, &ch.proxy.seat, ch.proxy)
	var then func()
	known := func() {
		goOn := then
		if then = nil; goOn != nil && c.topics.find([]byte(ch.topic.Wire())) == ch {
			goOn()
		}
	}
	if !c.Desk.Roster.Await(ch.topic, func() { c.Desk.Loop.Post(1, 0, known) }) {
		return nil
	}
	return func(f func()) { then = f }
}

// vacate ends what announce began.
func (ch *Channel) vacate() {
	if ch.proxy != nil {
		ch.client.Desk.Shard.Leave(&ch.proxy.seat)
		ch.proxy = nil
	}
}

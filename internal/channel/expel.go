package channel

import (
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// Who says which clients of a tenant an operator throws out. What is not given
// does not matter; nothing given means everybody.
type Who struct {
	Subject string // claim sub of the token of the channel or of the connection
	Topic   string // name of a channel, without "realtime:"
	Private *bool  // that channel is private, or is not
}

// Expel throws the client out, if it is meant, and reports whether it was. One
// that is meant as a user, or as everybody, loses its connection; one that is
// meant by a topic loses the channel, and does not come back by itself.
func (c *Client) Expel(who Who) bool {
	if who.Topic == "" && who.Private == nil {
		if who.Subject != "" && !c.is(who.Subject) {
			return false
		}
		c.Dismiss()
		return true
	}
	expelled := false
	for _, ch := range c.topics.all() {
		if ch.meant(who) {
			ch.system("system", phoenix.StatusOK, "Server requested disconnect")
			ch.close()
			expelled = true
		}
	}
	return expelled
}

// is reports whether the client, or one of its channels, has a token of the user.
func (c *Client) is(subject string) bool {
	if c.Token.Claims.Subject == subject {
		return true
	}
	for _, ch := range c.topics.list {
		if ch.token.Claims.Subject == subject {
			return true
		}
	}
	return false
}

func (ch *Channel) meant(who Who) bool {
	return (who.Topic == "" || ch.topic.Name == who.Topic) &&
		(who.Private == nil || ch.topic.Private == *who.Private) &&
		(who.Subject == "" || ch.token.Claims.Subject == who.Subject || ch.client.Token.Claims.Subject == who.Subject)
}

// Dismiss tells every channel that the server disconnects its tenant, and hangs
// up. Clients reconnect by themselves.
func (c *Client) Dismiss() {
	for _, ch := range c.topics.all() {
		if ch.joining() {
			continue
		}
		c.send(ordered, func(dst []byte) []byte {
			return phoenix.AppendPush(dst, c.Version, nil, ch.topic.Wire(), phoenix.EventSystem, []byte(dismissal))
		})
		c.Meters.Events.Add(c.Desk.Index, 1)
	}
	c.Line.Hangup(websocket.CodeRestart, "")
}

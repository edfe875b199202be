package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// A crowd is the clients of one node, in a goroutine of their own.
type crowd struct {
	load.Audience
	heard []time.Duration // how long each message took
	count int
}

// gather connects clients to a node, all to one topic.
func gather(ctx context.Context, n *node, topic string, clients int) (*crowd, error) {
	k, err := key()
	if err != nil {
		return nil, err
	}
	c := &crowd{Audience: load.Audience{URL: n.url, Key: k, ConnectRate: 2000}}
	for range clients {
		c.Seats = append(c.Seats, load.Seat{Topic: "realtime:" + topic, Payload: []byte(`{"config":{}}`)})
	}
	c.Hear = c.hear
	if err := c.Open(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// hear notes how long a message took: its payload says when it was sent.
func (c *crowd) hear(_ int, frame []byte, at time.Time) bool {
	_, rest, found := bytes.Cut(frame, []byte(`"sent":`))
	if !found {
		return bytes.Contains(frame, []byte("presence_"))
	}
	end := bytes.IndexByte(rest, ',')
	sent, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	if err != nil {
		return false
	}
	c.count++
	c.heard = append(c.heard, at.Sub(time.Unix(0, sent)))
	return true
}

// say sends a message of about 256 bytes from the first client.
func (c *crowd) say(topic string) {
	const size = 256
	filler := bytes.Repeat([]byte("x"), size-60)
	payload := fmt.Appendf(nil, `{"type":"broadcast","event":"e","payload":{"sent":%d,"f":"%s"}}`, time.Now().UnixNano(), filler)
	c.Push(0, &phoenix.Frame{JoinRef: phoenix.Ref(`"1"`), Topic: []byte("realtime:" + topic), Event: "broadcast", Payload: json.RawMessage(payload)})
}

// live lets crowds live for a time, and a second more. The first of them sends at
// a rate; live returns how many messages it has sent.
func live(ctx context.Context, d time.Duration, rate float64, topic string, crowds ...*crowd) (sent int) {
	began := time.Now()
	var all sync.WaitGroup
	for i, c := range crowds {
		all.Go(func() {
			c.Pump(ctx, func(now time.Time) (time.Time, bool) {
				passed := now.Sub(began)
				if i > 0 || rate == 0 {
					return now.Add(20 * time.Millisecond), passed > d+time.Second
				}
				for passed < d && float64(sent) < rate*passed.Seconds() {
					c.say(topic)
					sent++
				}
				if passed >= d {
					return now.Add(20 * time.Millisecond), passed > d+time.Second
				}
				return began.Add(time.Duration(float64(sent) / rate * float64(time.Second))), false
			})
		})
	}
	all.Wait()
	return sent
}

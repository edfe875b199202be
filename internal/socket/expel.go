package socket

import (
	"context"

	"github.com/tutti-realtime/tutti/internal/channel"
)

// Dismiss disconnects every client of a tenant, as the server's own wish.
func (s *Server) Dismiss(tenantID string) {
	s.each(func(c *conn) {
		if c.client.TenantID == tenantID {
			c.client.Dismiss()
		}
	})
}

// Expel throws clients of a tenant out and returns how many.
func (s *Server) Expel(ctx context.Context, tenantID string, who channel.Who) (int, error) {
	return s.sum(ctx, tenantID, func(c *channel.Client) int {
		if c.Expel(who) {
			return 1
		}
		return 0
	})
}

// Reauthorize asks the policies again about private channels of a tenant, and
// returns how many these are. It does not wait for the answers: channels that
// lost something close when theirs comes, and deliver nothing until then.
func (s *Server) Reauthorize(ctx context.Context, tenantID string, who channel.Who) (int, error) {
	return s.sum(ctx, tenantID, func(c *channel.Client) int { return c.Reauthorize(who) })
}

// sum calls f for every client of a tenant, on its loop, and adds up what it
// returns.
func (s *Server) sum(ctx context.Context, tenantID string, f func(*channel.Client) int) (int, error) {
	counts := make(chan int, len(s.loops))
	asked := 0
	for _, l := range s.loops {
		posted := l.post(func() {
			n := 0
			for _, c := range l.slots {
				if c != nil && c.state == stateOpen && c.client.TenantID == tenantID {
					c.rescued(func(c *conn) { n += f(&c.client) })
				}
			}
			counts <- n
		})
		if posted {
			asked++
		}
	}
	total := 0
	for range asked {
		select {
		case n := <-counts:
			total += n
		case <-ctx.Done():
			return total, context.Cause(ctx)
		}
	}
	return total, nil
}

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
	counts := make(chan int, len(s.loops))
	asked := 0
	for _, l := range s.loops {
		posted := l.post(func() {
			n := 0
			for _, c := range l.slots {
				if c != nil && c.state == stateOpen && c.client.TenantID == tenantID {
					c.rescued(func(c *conn) {
						if c.client.Expel(who) {
							n++
						}
					})
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

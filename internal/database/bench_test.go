package database

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// BenchmarkMayRead asks for one user after the other, 64 at a time: with a
// database that does nothing, to see what the queue costs, and with a real one.
func BenchmarkMayRead(b *testing.B) {
	for name, open := range map[string]func(b *testing.B, d *Databases) Question{
		"stub": func(_ *testing.B, d *Databases) Question {
			d.open = (&server{answer: func(context.Context, kind, postgres.Asker, bool) (postgres.Permission, error) {
				return postgres.Permission{Broadcast: true}, nil
			}}).open
			return about(customer("one", "db_pool", 4.0), "room")
		},
		"database": func(b *testing.B, _ *Databases) Question {
			return about(owner(b, postmastertest.Database(b), "db_pool", 4.0), "room")
		},
	} {
		b.Run(name, func(b *testing.B) {
			d := &Databases{Loops: []Loop{eager{}}, Log: slog.New(slog.DiscardHandler)}
			q := open(b, d)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = d.Run(ctx)
			}()
			defer func() {
				cancel()
				<-ended
			}()
			until(b, func() bool { _, err := mayRead(d, q); return err == nil })
			var asked sync.WaitGroup
			room := make(chan struct{}, 64)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				room <- struct{}{}
				asked.Add(1)
				q.Claims.Raw = fmt.Appendf(nil, `{"role":"anon","sub":"%d"}`, i)
				d.MayRead(q, 0, func(_ postgres.Permission, err error) {
					if err != nil {
						b.Error(err)
					}
					<-room
					asked.Done()
				})
			}
			asked.Wait()
		})
	}
}

package postmaster

import (
	"context"
	"errors"
	"os"
)

// Stop shuts PostgreSQL down in an orderly way, waits until its last process has
// ended and gives the folder up. It returns after some seconds at the latest: a
// PostgreSQL that takes too long, or longer than the context lasts, is told to
// end at once, and its next start recovers. A second Stop does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	p, stopped := s.process, s.stopped
	s.stopped = true
	s.mu.Unlock()
	if stopped {
		<-p.done
		return nil
	}
	signals := []os.Signal{fast, immediate, os.Kill}
	if s.folder.temporary {
		signals = signals[1:] // nobody reads what an orderly shutdown would write
	}
	return errors.Join(p.end(ctx, signals...), s.folder.close())
}

// Kill ends PostgreSQL as a crash would, and returns when its last process has
// ended. The folder and the port stay ours: Restart recovers.
func (s *Server) Kill(ctx context.Context) error {
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	return p.end(ctx, os.Kill)
}

// Restart stops PostgreSQL, if it runs, and starts it again on the same port.
// The context bounds both. Calls of Restart, Kill and Stop must not overlap.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	p, stopped := s.process, s.stopped
	s.mu.Unlock()
	if stopped {
		return errors.New("restart PostgreSQL: it was stopped for good")
	}
	if err := p.end(ctx, fast, immediate, os.Kill); err != nil {
		return err
	}
	return s.run(ctx)
}

// Done returns a channel that is closed when PostgreSQL has ended, whether asked
// to or not. After a Restart it is another one.
func (s *Server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.done
}

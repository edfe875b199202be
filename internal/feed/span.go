package feed

import (
	"context"
	"errors"
	"time"

	"github.com/tutti-realtime/tutti/internal/trace"
)

// The spans of a batch: how long it took to find those who want its changes, to
// ask who may see them, and to give them to the loops. All are nil when nothing
// is traced, or nobody wanted anything: a table that is written to all day and
// listened to by nobody is no news.
type spans struct {
	batch, match *trace.Span
}

// trace begins the spans of a batch.
func (r *reader) trace() (s spans) {
	s.batch = r.feeds.Trace.Root("changes")
	s.batch.Tenant(r.tenant)
	s.match = s.batch.Child("match")
	return s
}

// matched ends the search for those who want the changes.
func (s *spans) matched(b *batch) {
	if len(b.hits) == 0 && len(b.tests) == 0 {
		*s = spans{} // never ended, never sent
		return
	}
	if s.batch != nil { // or the time is looked at for nothing
		s.batch.Count("delay_ms", int(time.Since(b.committed[0]).Milliseconds()))
	}
	s.match.End()
}

// visible begins the question who may see rows, where one is asked.
func (s *spans) visible(b *batch) *trace.Span {
	if len(b.looks) == 0 {
		return nil
	}
	v := s.part("visible")
	v.Count("looks", len(b.looks))
	return v
}

func (s *spans) part(name string) *trace.Span { return s.batch.Child(name) }

// end ends the batch.
func (s *spans) end(b *batch, err error) {
	s.batch.Count("changes", len(b.changes))
	s.batch.Count("wanted", len(b.hits))
	s.batch.Finish(failure(err))
}

// failure returns what went wrong, and nothing where the reader merely had
// something else to do.
func failure(err error) error {
	if errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// connects begins the span of a stream that is to be live, unless it is under
// way, and notes what is in its way, if anything is.
func (r *reader) connects(obstacle string) {
	if r.connecting == nil {
		r.connecting = r.feeds.Trace.Root("connect feed")
		r.connecting.Tenant(r.tenant)
	}
	r.connecting.Set("obstacle", obstacle)
}

// connected ends it.
func (r *reader) connected() {
	r.connecting.End()
	r.connecting = nil
}

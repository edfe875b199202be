package database

import "github.com/tutti-realtime/tutti/internal/trace"

// span begins the span of what is done for a task. It is part of the question
// that came first, and of use to the others. It is nil when none of them is
// traced.
func (t *task) span(name, tenant string) *trace.Span {
	var s *trace.Span
	for _, w := range t.waiters {
		switch {
		case w.span == nil:
		case s == nil:
			s = w.span.Child(name)
		default:
			s.Link(w.span)
		}
	}
	s.Tenant(tenant)
	return s
}

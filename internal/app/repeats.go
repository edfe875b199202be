package app

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// repeatBurst lines that say the same of the same tenant pass in a repeatWindow.
	// The others become one line that says how many they were: a thousand clients
	// with an expired token are one piece of news.
	repeatBurst  = 5
	repeatWindow = 30 * time.Second
	// maxRepeats is how many such lines are told apart. Beyond that tenants are not.
	maxRepeats = 4096
)

// A repeats keeps the log of a node from saying the same over and over. Lines of
// level debug, and those below Warn that are of no tenant and have no code, are
// not its affair.
type repeats struct {
	held atomic.Int64 // lines that were counted and not printed

	mu   sync.Mutex // guards seen; no line is printed under it
	seen map[sameLine]*repeat
}

// A sameLine is what lines have in common that say the same.
type sameLine struct {
	level                 slog.Level
	message, tenant, code string
}

// A repeat is the lines that said the same within a window.
type repeat struct {
	since  time.Time
	passed int
	held   int
	last   slog.Record
	next   slog.Handler // of the last
}

// Handler returns a handler that passes lines on to next.
func (r *repeats) Handler(next slog.Handler) slog.Handler { return &rarely{repeats: r, next: next} }

// Run prints now and then how many lines were held, until ctx ends.
func (r *repeats) Run(ctx context.Context) error {
	tick := time.NewTicker(repeatWindow)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.sum(ctx, func(*repeat) bool { return true })
			return context.Cause(ctx)
		case now := <-tick.C:
			r.sum(ctx, func(p *repeat) bool { return now.Sub(p.since) >= repeatWindow })
		}
	}
}

// sum ends the windows that are over, and prints what they held.
func (r *repeats) sum(ctx context.Context, over func(*repeat) bool) {
	r.mu.Lock()
	var ended []*repeat
	for line, p := range r.seen {
		if over(p) {
			delete(r.seen, line)
			ended = append(ended, p)
		}
	}
	r.mu.Unlock()
	for _, p := range ended {
		p.print(ctx)
	}
}

// print prints the last of the lines that were held, and how many they were.
func (p *repeat) print(ctx context.Context) {
	if p.held == 0 {
		return
	}
	line := p.last.Clone()
	line.AddAttrs(slog.Int("repeated", p.held))
	_ = p.next.Handle(context.WithoutCancel(ctx), line) // there is nowhere to say that the log cannot be written
}

// pass reports whether a line may be printed, and returns the window that it
// ends, if it does.
func (r *repeats) pass(same sameLine, line slog.Record, next slog.Handler) (ended *repeat, may bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.seen[same]
	if p == nil && len(r.seen) >= maxRepeats {
		same.tenant = ""
		p = r.seen[same]
	}
	switch {
	case p == nil || now.Sub(p.since) >= repeatWindow:
		if r.seen == nil {
			r.seen = map[sameLine]*repeat{}
		}
		r.seen[same] = &repeat{since: now, passed: 1}
		return p, true
	case p.passed < repeatBurst:
		p.passed++
		return nil, true
	}
	p.held++
	p.last, p.next = line.Clone(), next
	r.held.Add(1)
	return nil, false
}

// A rarely is a handler that asks repeats about each line.
type rarely struct {
	repeats      *repeats
	next         slog.Handler
	tenant, code string // of all its lines
}

// Enabled implements slog.Handler.
func (h *rarely) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// WithGroup implements slog.Handler.
func (h *rarely) WithGroup(name string) slog.Handler {
	same := *h
	same.next = h.next.WithGroup(name)
	return &same
}

// WithAttrs implements slog.Handler.
func (h *rarely) WithAttrs(attrs []slog.Attr) slog.Handler {
	same := *h
	same.next = h.next.WithAttrs(attrs)
	for _, a := range attrs {
		same.learn(a)
	}
	return &same
}

func (h *rarely) learn(a slog.Attr) {
	switch a.Key {
	case keyTenant:
		h.tenant = a.Value.String()
	case keyCode:
		h.code = a.Value.String()
	}
}

// Handle implements slog.Handler.
func (h *rarely) Handle(ctx context.Context, line slog.Record) error {
	if line.Level < slog.LevelInfo {
		return h.next.Handle(ctx, line)
	}
	same := rarely{tenant: h.tenant, code: h.code}
	line.Attrs(func(a slog.Attr) bool {
		same.learn(a)
		return true
	})
	if line.Level < slog.LevelWarn && same.tenant == "" && same.code == "" {
		return h.next.Handle(ctx, line)
	}
	ended, may := h.repeats.pass(sameLine{line.Level, line.Message, same.tenant, same.code}, line, h.next)
	if ended != nil {
		ended.print(ctx)
	}
	if !may {
		return nil
	}
	return h.next.Handle(ctx, line)
}

package feed

import (
	"context"

	"github.com/tutti-realtime/tutti/internal/relay"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// A source is where a reader's changes come from: a wal.Feed, or a relay.Stream
// where nodes share one.
type source interface {
	Run(context.Context) error
	Confirm(lsn uint64)
}

// open makes the source of a database, which puts what comes into the queue.
func (r *reader) open() {
	if r.feeds.Relay == nil {
		r.source = &feed{reader: r, Feed: wal.Feed{Deliver: r.queue.deliver, State: r.hear}}
		return
	}
	r.shared = r.feeds.Relay.Open(r.tenant, relay.Key(&r.place, r.slot(r.place)))
	r.shared.Deliver, r.shared.State, r.shared.Temporary = r.queue.deliver, r.hear, r.place.Temporary
	r.shared.Make = func(reading relay.Reading) relay.Source {
		f := &wal.Feed{Term: reading.Term, Shared: true, Deliver: reading.Deliver, State: reading.State}
		r.configure(f)
		return f
	}
	r.source = r.shared
}

// abandon ends a source that is not run again.
func (r *reader) abandon() {
	if r.shared != nil {
		r.shared.Close()
	}
	r.source, r.shared = nil, nil
}

// configure tells a feed what it reads, as of now.
func (r *reader) configure(f *wal.Feed) {
	f.Config, f.Catalog, f.Publications = r.db.Replication(), r.db, r.publications
	f.Slot, f.Temporary = r.slot(r.place), r.place.Temporary
	r.reading.Store(f)
}

// A feed is a wal.Feed that is configured each time it runs.
type feed struct {
	wal.Feed
	reader *reader
}

func (f *feed) Run(ctx context.Context) error {
	f.reader.configure(&f.Feed)
	return f.Feed.Run(ctx)
}

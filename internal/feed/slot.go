package feed

import (
	"context"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/relay"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// dropTimeout bounds how long dropping a slot may take.
const dropTimeout = 10 * time.Second

// slot returns the name of the slot that is read.
func (r *reader) slot(settings tutti.Database) string {
	return settings.SlotName(r.feeds.SlotSuffix)
}

// elsewhere reports whether other settings mean another slot, or what it is read
// for.
func elsewhere(a, b tutti.Database) bool {
	return a.Host != b.Host || a.Port != b.Port || a.Name != b.Name || a.Slot != b.Slot || a.Temporary != b.Temporary ||
		a.Publication != b.Publication
}

// drop drops the slot, so that the database keeps no log for a feed that is no
// more. One that cannot be dropped is named in the log.
func (r *reader) drop(ctx context.Context, settings tutti.Database) {
	ctx, cancel := context.WithTimeout(ctx, dropTimeout)
	defer cancel()
	dropped, err := true, error(nil)
	if r.feeds.Relay == nil {
		err = r.dropNow(ctx, settings)
	} else {
		dropped, err = r.feeds.Relay.Drop(ctx, r.tenant, relay.Key(&settings, r.slot(settings)),
			func(ctx context.Context) error { return r.dropNow(ctx, settings) })
	}
	if err != nil {
		r.log.Warn("replication slot could not be dropped, the database keeps its log until somebody does",
			"code", "DropReplicationSlotFailed", "slot", r.slot(settings), "err", err)
		return
	}
	if dropped {
		r.log.Info("feed stopped, replication slot dropped", "slot", r.slot(settings))
	}
}

func (r *reader) dropNow(ctx context.Context, settings tutti.Database) error {
	db, err := postgres.OpenDatabase(settings)
	if err != nil {
		return err
	}
	defer db.Close()
	return wal.Drop(ctx, db.Replication(), r.slot(settings))
}

package database

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

const (
	keepEvery    = time.Hour
	keepAgain    = 5 * time.Minute // those that failed; doubles, up to keepEvery
	keepAtOnce   = 4               // tenants
	keepPage     = 100             // tenants that are listed at once
	keepPatience = 90 * time.Second
)

// A keeper makes the partitions of all tenants in time, and drops those that are
// older than messages are kept, whether anybody is connected or not. It opens
// each database for itself, with one connection.
//
// A database without realtime.messages is left alone: its tenant uses public
// channels only, or none. One whose private topics this node is asked about is
// prepared, as somebody may have dropped what was there.
type keeper struct {
	databases *Databases

	mu     sync.Mutex          // guards failed; nothing is called under it
	failed map[string]*mishaps // by tenant
}

// mishaps are failures of a tenant's database that nothing went well between.
type mishaps struct {
	cause string        // that was logged
	pause time.Duration // from the last to the next try
	again time.Time
}

func newKeeper(d *Databases) *keeper {
	return &keeper{databases: d, failed: map[string]*mishaps{}}
}

// run keeps partitions until the context ends.
func (k *keeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		next := nextRound(time.Now())
		if !k.round(ctx, false) {
			next = time.Now().Add(keepAgain)
		}
		for ctx.Err() == nil && time.Now().Before(next) {
			sleep(ctx, time.Until(k.wake(next)))
			if ctx.Err() == nil && time.Now().Before(next) && !k.round(ctx, true) {
				sleep(ctx, keepAgain)
			}
		}
	}
}

// nextRound returns when all tenants are looked at again: in an hour or so, so
// that nodes do not do it all at once, and soon after midnight, when a day has
// ended.
func nextRound(now time.Time) time.Time {
	next := now.Add(keepEvery - rand.N(keepEvery/10))
	midnight := now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	if next.After(midnight) {
		return midnight.Add(time.Second + rand.N(time.Minute))
	}
	return next
}

// wake returns when the next tenant that failed is to be tried again, or next
// if that is earlier.
func (k *keeper) wake(next time.Time) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.failed {
		if f.again.Before(next) {
			next = f.again
		}
	}
	return next
}

func sleep(ctx context.Context, d time.Duration) {
	alarm := time.NewTimer(d)
	defer alarm.Stop()
	select {
	case <-ctx.Done():
	case <-alarm.C:
	}
}

// round looks after all tenants, or after those that failed and are to be tried
// again, and reports whether it could list them. Those that failed before come
// last, as they may be slow to fail again.
func (k *keeper) round(ctx context.Context, failedOnly bool) bool {
	jobs := make(chan *tutti.Tenant)
	var working sync.WaitGroup
	defer working.Wait()
	defer close(jobs)
	for range keepAtOnce {
		working.Go(func() {
			for t := range jobs {
				k.keep(ctx, t)
			}
		})
	}
	due := k.due(time.Now())
	gone := maps.Clone(due)
	var last []*tutti.Tenant
	err := k.list(ctx, func(t *tutti.Tenant) {
		again, failed := due[t.ExternalID]
		delete(gone, t.ExternalID)
		switch {
		case again:
			last = append(last, t)
		case !failed && !failedOnly:
			jobs <- t
		}
	})
	if err != nil {
		if ctx.Err() == nil {
			k.databases.Log.Warn("tenants could not be listed, their partitions are kept later", "err", err)
		}
		return false
	}
	k.forget(gone)
	for _, t := range last {
		jobs <- t
	}
	return true
}

// list calls each for all tenants that are not suspended.
func (k *keeper) list(ctx context.Context, each func(*tutti.Tenant)) error {
	suspended := false
	q := tutti.TenantQuery{Suspended: &suspended, Limit: keepPage}
	for {
		page, err := k.databases.Known(ctx, q)
		if err != nil {
			return err
		}
		for _, t := range page.Tenants {
			each(t)
		}
		if page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
}

// due returns the tenants that failed, and whether they are to be tried again.
func (k *keeper) due(now time.Time) map[string]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	due := map[string]bool{}
	for id, f := range k.failed {
		due[id] = !now.Before(f.again)
	}
	return due
}

func (k *keeper) forget(gone map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range gone {
		delete(k.failed, id)
	}
}

// keep looks after one tenant.
func (k *keeper) keep(ctx context.Context, t *tutti.Tenant) {
	settings, found, err := tenant.Database(t)
	if ctx.Err() != nil {
		return
	}
	if found && err == nil {
		err = k.tend(ctx, t.ExternalID, settings)
	}
	if ctx.Err() != nil {
		return
	}
	k.note(t.ExternalID, err)
}

// tend makes and drops partitions. What fails does not keep the rest from being
// done, unless the database gives no answer.
func (k *keeper) tend(ctx context.Context, id string, settings tutti.Database) error {
	ctx, cancel := context.WithTimeout(ctx, keepPatience)
	defer cancel()
	settings.Pool = 1
	db, err := k.databases.open(settings)
	if err != nil {
		return err
	}
	defer db.Close()
	log := k.databases.Log.With("tenant", id)
	var errs []error
	if k.databases.asked(id) {
		report, err := db.Prepare(ctx)
		if len(report.Made) > 0 {
			log.Info("database prepared", "made", strings.Join(report.Made, ", "))
		}
		errs = append(errs, err)
	}
	if !errors.Is(errors.Join(errs...), tutti.ErrUnavailable) {
		created, err := db.Partition(ctx, time.Now())
		if created > 0 {
			log.Info("partitions of messages made", "count", created)
		}
		errs = append(errs, err)
	}
	if !errors.Is(errors.Join(errs...), tutti.ErrUnavailable) {
		dropped, err := db.Expire(ctx, time.Now(), settings.Retention)
		if len(dropped) > 0 {
			log.Info("partitions of messages dropped", "names", strings.Join(dropped, ", "))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// note takes note of how it went, and logs what went wrong unless it is what
// went wrong before.
func (k *keeper) note(id string, err error) {
	k.mu.Lock()
	f := k.failed[id]
	if err == nil {
		delete(k.failed, id)
		k.mu.Unlock()
		return
	}
	if f == nil {
		f = &mishaps{}
		k.failed[id] = f
	}
	news := f.cause != err.Error()
	f.cause = err.Error()
	f.pause = min(max(2*f.pause, keepAgain), keepEvery)
	f.again = time.Now().Add(f.pause + rand.N(f.pause/10))
	k.mu.Unlock()
	if !news {
		return
	}
	log := k.databases.Log.With("tenant", id)
	if defect, ok := errors.AsType[*postgres.Defect](err); ok {
		log.Warn("partitions of messages cannot be kept", "code", defect.Code, "cause", defect.Cause, "cure", defect.Cure)
		return
	}
	log.Warn("partitions of messages could not be kept, tried again later", "code", partitionFailed, "err", err)
}

// partitionFailed is for the log.
const partitionFailed = "PartitionCreationFailed"

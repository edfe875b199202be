package database

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

const (
	// prepareAgain is how long a preparation that failed is taken for the answer.
	// It doubles with each that fails, up to the larger.
	prepareAgain = 2 * time.Second
	// Nobody can do anything about an outage, which ends by itself; somebody has to
	// put a defect right.
	prepareAgainOutage = 5 * time.Second
	prepareAgainDefect = time.Minute

	// prepareTrust is how long questions that miss something are not believed after
	// one that was: it may be a policy that misses a table of its own.
	prepareTrust = time.Minute
)

// A readiness is what is known of whether a database was prepared.
type readiness struct {
	yes        bool
	doubted    time.Time // when a question was believed that missed something
	under      bool      // way: it is being prepared
	impossible error     // there is no such database
	failure    error     // of the last preparation
	pause      time.Duration
	again      time.Time // failure is good until then
}

// obstacle returns why questions cannot be asked for now, nil when they can, or
// when it is worth trying to prepare.
func (r *readiness) obstacle(now time.Time) error {
	switch {
	case r.impossible != nil:
		return r.impossible
	case !r.yes && !r.under && now.Before(r.again):
		return r.failure
	}
	return nil
}

// doubt is told that something is not there which was prepared, and reports
// whether that is to be seen to.
func (r *readiness) doubt(now time.Time) bool {
	if r.yes && now.Sub(r.doubted) < prepareTrust {
		return false
	}
	r.yes, r.doubted = false, now
	return true
}

func (r *readiness) succeeded() {
	*r = readiness{yes: true, doubted: r.doubted}
}

func (r *readiness) failed(now time.Time, err error) {
	refusal := unprepared(err)
	longest := prepareAgainOutage
	if refusal.Code == tutti.DatabaseNotPrepared {
		longest = prepareAgainDefect
	}
	r.pause = min(max(2*r.pause, prepareAgain), longest)
	r.failure, r.again, r.under = refusal, now.Add(r.pause), false
}

// A preparation is how one went.
type preparation struct {
	report postgres.Report
	err    error
}

// prepare prepares the database, unless that is under way.
func (l *lane) prepare(ctx context.Context, db objects, working *sync.WaitGroup) {
	if l.ready.under {
		return
	}
	l.ready.under = true
	l.running++
	span := l.queue[0].span("connect tenant database", l.id)
	working.Go(func() {
		began := time.Now()
		report, err := db.Prepare(ctx)
		span.Finish(err)
		l.databases.Metrics.prepared(began, &report, err)
		l.inbox.put(order{kind: prepared, outcome: preparation{report, err}})
	})
}

// prepared takes note of a preparation that has ended.
func (l *lane) prepared(p preparation) {
	l.running--
	now := time.Now()
	if p.err == nil {
		l.ready.succeeded()
		l.journal.forget()
		l.note(now, &p.report)
		return
	}
	if l.farewell != nil {
		return
	}
	l.ready.failed(now, p.err)
	l.report(now, l.ready.failure)
	l.refuseAll(l.ready.failure)
}

// note logs what a preparation did and what it left.
func (l *lane) note(now time.Time, r *postgres.Report) {
	if len(r.Made) > 0 {
		l.log.Info("database prepared", "made", strings.Join(r.Made, ", "))
	}
	for _, defect := range r.Defects {
		l.warn(now, defect)
	}
}

// report logs why there was no answer.
func (l *lane) report(now time.Time, err error) {
	if err == nil || l.farewell != nil || errors.Is(err, context.Canceled) {
		return
	}
	if defect, ok := errors.AsType[*postgres.Defect](err); ok {
		l.warn(now, defect)
		return
	}
	code := "UnableToReplayMessages"
	if refusal, ok := errors.AsType[*postgres.Refusal](err); ok {
		code, err = refusal.Code, refusal.Err
	}
	if l.journal.news(now, code+" "+err.Error()) {
		l.log.Warn("question to a database failed", "code", code, "err", err)
	}
}

func (l *lane) warn(now time.Time, defect *postgres.Defect) {
	if l.journal.news(now, defect.Error()) {
		l.log.Warn("database has a defect", "code", defect.Code, "cause", defect.Cause, "cure", defect.Cure)
	}
}

// nothing stands for a database that cannot be opened. It is asked nothing.
type nothing struct{ database }

// Close does nothing.
func (nothing) Close() {}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
)

const (
	// rowTimeout bounds one statement that a tenant's policies or a client's
	// conditions make slow.
	rowTimeout = 5 * time.Second
	// answerGrace is how much longer than that we wait for the answer, before we
	// hold the connection for dead.
	answerGrace = 10 * time.Second
	// mostInquiries is how many inquiries go out at once. Where inquiries are
	// fewer, all connections are given their share, but none less than
	// leastInquiries.
	mostInquiries  = 256
	leastInquiries = 16
	// mostTimeouts is how often a kind of inquiry may run into rowTimeout, before
	// others of the kind are refused without being asked. Else a policy that
	// sleeps would hold up the feed for a thousand times rowTimeout.
	mostTimeouts = 3
)

// An inquiry is some statements that run in one transaction, whose settings end
// with it. An error is that of the inquiry alone.
type inquiry struct {
	viewer *Viewer // nil: asked as the role that is logged in
	kind   string  // those of a kind are refused together when they are slow

	relation string // quoted name of a table, "" for none
	oid      uint32 // which it must have

	clauses []clause
	err     error
}

// A clause is one statement of an inquiry. Its results come as text.
type clause struct {
	sql    string
	types  [2]uint32 // of the parameters; 0 is left to PostgreSQL
	values [][]byte
	binary bool                  // the parameters are binary
	row    func(values [][]byte) // gets each row, as text; the bytes are not its to keep
}

// ask asks inquiries, spread over the connections for rows. Errors of single
// inquiries are in them; an error that is returned says that not all of them
// were answered.
func (d *Database) ask(ctx context.Context, inquiries []*inquiry) error {
	if len(inquiries) == 0 {
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &round{waiting: inquiries, timeouts: map[string]int{}}
	r.size = min(mostInquiries, max(leastInquiries, (len(inquiries)+rowConnections-1)/rowConnections))
	workers := min(rowConnections, (len(inquiries)+r.size-1)/r.size)
	errs := make([]error, workers)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			if errs[i] = d.work(ctx, r); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	// The first that failed has cancelled the others.
	slices.SortStableFunc(errs, func(a, b error) int { return rank(a) - rank(b) })
	return errs[0]
}

// rank orders errors by how much they say.
func rank(err error) int {
	switch {
	case err == nil:
		return 2
	case errors.Is(err, context.Canceled):
		return 1
	}
	return 0
}

// work asks inquiries of a round on one connection after the other, until there
// are no more.
func (d *Database) work(ctx context.Context, r *round) error {
	for {
		inquiries := r.take()
		if len(inquiries) == 0 {
			return nil
		}
		rest, err := d.converse(ctx, r, inquiries)
		if err != nil {
			return err
		}
		r.giveBack(rest)
	}
}

// converse asks inquiries on one connection. It returns those that are to be
// asked on another.
func (d *Database) converse(ctx context.Context, r *round, inquiries []*inquiry) ([]*inquiry, error) {
	acquiring, cancel := within(ctx, d.rowLimit+connectTimeout+answerGrace)
	conn, err := d.rows.Acquire(acquiring)
	cancel()
	if err != nil {
		return nil, gaveUp(ctx, err)
	}
	defer conn.Release()
	watched, give := context.WithCancelCause(ctx)
	defer give(nil)
	l := &line{conn: conn.Conn().PgConn(), limit: d.rowLimit, round: r, patience: d.rowLimit + answerGrace}
	l.watch = time.AfterFunc(l.patience, func() { give(errSilent) })
	defer l.watch.Stop()
	rest, err := l.ask(watched, inquiries)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(watched), errSilent) {
		err = fmt.Errorf("%w: %w", tutti.ErrUnavailable, errSilent)
	}
	return rest, gaveUp(ctx, err)
}

var errSilent = errors.New("the database does not answer")

// gaveUp returns err as others may see it: the context's own error when that has
// ended.
func gaveUp(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failed(err)
}

// A round is inquiries that are being asked.
type round struct {
	size int

	mu       sync.Mutex // guards what follows
	waiting  []*inquiry
	timeouts map[string]int // by kind
	lastErr  error          // of a timeout
}

// take returns the next inquiries to ask together.
func (r *round) take() (taken []*inquiry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.waiting) > 0 && len(taken) < r.size {
		q := r.waiting[0]
		r.waiting = r.waiting[1:]
		if r.timeouts[q.kind] >= mostTimeouts {
			q.err = r.lastErr
		} else if q.err == nil {
			taken = append(taken, q)
		}
	}
	return taken
}

func (r *round) giveBack(rest []*inquiry) {
	if len(rest) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(slices.Clip(r.waiting), rest...)
}

// timedOut counts a timeout, and reports whether no more of the kind are to be
// asked.
func (r *round) timedOut(q *inquiry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timeouts[q.kind]++
	r.lastErr = q.err
	return r.timeouts[q.kind] >= mostTimeouts
}

// staleCodes are what PostgreSQL says of a relation, schema, column, type or
// operator that does not exist.
var staleCodes = []string{"42P01", "3F000", "42703", "42704", "42883"}

// stale returns what an answer means for an inquiry: about a table it may be that
// the catalog is old.
func (q *inquiry) stale(answer *pgconn.PgError) error {
	if q.relation != "" && slices.Contains(staleCodes, answer.Code) {
		return fmt.Errorf("%w: %w", ErrStale, answer)
	}
	return answer
}

// severed reports whether an error that PostgreSQL sent ends the connection.
func severed(err *pgconn.PgError) bool {
	return err.SeverityUnlocalized == "FATAL" || err.SeverityUnlocalized == "PANIC" || slices.Contains(awayCodes, err.Code)
}

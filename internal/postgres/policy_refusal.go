package postgres

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
)

// A Refusal is a question about policies that was not answered. Client is for
// the client; the error itself is for the log.
type Refusal struct {
	Client *tutti.Error
	Code   string // for the log: Client's, or tutti.RlsPolicyError
	Err    error
}

// Error returns "Code: what went wrong".
func (r *Refusal) Error() string { return r.Code + ": " + r.Err.Error() }

// Unwrap returns what the client sees and what is underneath.
func (r *Refusal) Unwrap() []error { return []error{r.Client, r.Err} }

// refused returns the refusal that an error means (database.md §4.4). Whatever a
// policy or a role can cause denies.
func (q *wish) refused(err error) error {
	r := &Refusal{Code: tutti.RlsPolicyError, Err: err}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case ok && pg.Code == "53300":
		r.client(tutti.DatabaseLackOfConnections, "Database can't accept more connections, Realtime won't connect")
	case errors.Is(err, errPoolEmpty):
		r.client(tutti.IncreaseConnectionPool, "Please increase your connection pool size")
	case errors.Is(err, errConnect), errors.Is(err, errLost), ok && slices.Contains(awayCodes, pg.Code):
		r.client(tutti.UnableToConnectToProject, "Realtime was unable to connect to the project database")
	case ok && pg.Code == "57014":
		r.client(tutti.QueryCanceled, "Query was cancelled, please try again")
		return r
	case ok && noPartition(pg):
		r.client(tutti.MissingPartition, "Realtime was unable to find the expected messages partition")
		return r
	default:
		r.Client = q.denied()
		return r
	}
	r.Err = fmt.Errorf("%w: %w", tutti.ErrUnavailable, err)
	return r
}

func (r *Refusal) client(code, reason string) {
	r.Client, r.Code = &tutti.Error{Code: code, Reason: reason}, code
}

func (q *wish) denied() *tutti.Error {
	verb := "write to"
	if q.read {
		verb = "read from"
	}
	return &tutti.Error{
		Code:   tutti.Unauthorized,
		Reason: "You do not have permissions to " + verb + " this Channel topic: " + q.Topic,
	}
}

// noPartition reports whether a row had no partition to go to, which has the
// code of a failed check but names no constraint.
func noPartition(pg *pgconn.PgError) bool { return pg.Code == "23514" && pg.ConstraintName == "" }

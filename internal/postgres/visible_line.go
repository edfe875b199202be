package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// settle makes the settings of an inquiry that is asked as a viewer, and says
// which table has a name now. The role comes before that: the name is looked up as
// he would, so that it fails without USAGE on the schema, which a plan that was
// made once does not ask for again.
const settle = `
SELECT set_config('statement_timeout', $1, true), set_config('request.jwt.claims', $2, true),
  set_config('role', $3, true), to_regclass($4)::oid`

const settleNobody = `SELECT set_config('statement_timeout', $1, true)`

// A line is a connection while inquiries are asked on it. In a pipeline without
// BEGIN, everything up to a Sync is one transaction: settings are gone behind
// it, an error skips to it, and nothing is waited for in between.
type line struct {
	conn     *pgconn.PgConn
	limit    time.Duration // of a statement
	round    *round
	patience time.Duration // for one answer
	watch    *time.Timer   // ends the context when it runs out
}

var errAbandoned = errors.New("abandoned")

// ask asks inquiries. It returns those that are to be asked on another
// connection, since this one was busy with inquiries that nobody will ask any
// more.
func (l *line) ask(ctx context.Context, inquiries []*inquiry) (rest []*inquiry, err error) {
	prepared, err := l.prepare(ctx, inquiries)
	if err != nil {
		return nil, err
	}
	p := l.conn.StartPipeline(ctx)
	asked := inquiries[:0:0]
	for _, q := range inquiries {
		if q.err != nil {
			continue
		}
		asked = append(asked, q)
		l.settle(p, q.viewer, q.relation)
		for i := range q.clauses {
			clause := &q.clauses[i]
			p.SendQueryPrepared(prepared.names[clause.key(q)], clause.values, clause.formats(), nil)
		}
		p.SendPipelineSync()
	}
	err = p.Flush()
	for i := 0; err == nil && i < len(asked); i++ {
		if err = l.hear(p, asked[i], prepared); errors.Is(err, errAbandoned) {
			rest, err = asked[i+1:], nil
			l.abandon(ctx)
			break
		}
	}
	if e := p.Close(); err == nil && rest == nil && !isAnswer(e) {
		err = e
	}
	return rest, err
}

// settle sends the settings of an inquiry, and asks what has the name relation.
func (l *line) settle(p *pgconn.Pipeline, v *Viewer, relation string) {
	limit := []byte(milliseconds(l.limit))
	if v == nil {
		p.SendQueryPrepared(settleNobodyName, [][]byte{limit}, nil, nil)
		return
	}
	claims := v.Claims
	if claims == nil {
		claims = []byte{} // nil would be NULL, which sets the default
	}
	var name []byte
	if relation != "" {
		name = []byte(relation)
	}
	p.SendQueryPrepared(settleName, [][]byte{limit, claims, []byte(v.Role), name}, nil, nil)
}

// hear reads the answer of one inquiry.
func (l *line) hear(p *pgconn.Pipeline, q *inquiry, prepared *statements) error {
	// The settings come first, as number -1.
	for i := -1; ; i++ {
		result, err := p.GetResults()
		if reader, ok := result.(*pgconn.ResultReader); ok {
			for reader.NextRow() {
				l.take(q, i, reader.Values())
			}
			_, err = reader.Close()
		}
		l.watch.Reset(l.patience)
		if err != nil {
			answer, err := answerOf(err)
			if err != nil {
				return err
			}
			if q.err == nil {
				q.err = q.stale(answer)
			}
			prepared.doubt(q, answer)
			continue
		}
		switch result.(type) {
		case *pgconn.PipelineSync:
			if q.err != nil && stateOf(q.err) == queryCanceled && l.round.timedOut(q) {
				return errAbandoned
			}
			return nil
		case nil:
			return errors.New("an answer is missing")
		}
	}
}

// take takes one row of the answer.
func (l *line) take(q *inquiry, clause int, values [][]byte) {
	switch {
	case clause >= 0:
		if q.err == nil {
			q.clauses[clause].row(values)
		}
	case q.relation != "":
		if string(values[3]) != strconv.FormatUint(uint64(q.oid), 10) {
			q.err = ErrStale
		}
	}
}

// abandon ends the connection, and what it is doing.
func (l *line) abandon(ctx context.Context) {
	ctx, cancel := within(ctx, time.Second)
	defer cancel()
	// Whether it arrives or not: the server ends when it sees that nobody is there.
	_ = l.conn.CancelRequest(ctx)
	_ = l.conn.Close(ctx)
}

// answerOf returns an error as PostgreSQL sent it, unless it ended the connection
// or came from elsewhere: then err is returned as it is.
func answerOf(err error) (*pgconn.PgError, error) {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || severed(answer) {
		return nil, err
	}
	return answer, nil
}

const queryCanceled = "57014"

// stateOf returns the SQLSTATE of an error, "" if PostgreSQL did not send it.
func stateOf(err error) string {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return answer.Code
	}
	return ""
}

func isAnswer(err error) bool { return err == nil || stateOf(err) != "" }

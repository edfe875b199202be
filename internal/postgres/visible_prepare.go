package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// mostStatements is how many statements stay prepared on a connection.
const mostStatements = 500

const (
	settleName       = "tutti_settle"
	settleNobodyName = "tutti_settle_nobody"
)

// A statementKey tells prepared statements from each other. Each role has its
// own: PostgreSQL makes a plan anew when it was made for another role.
type statementKey struct {
	role  string
	sql   string
	types [2]uint32
}

func (c *clause) key(q *inquiry) statementKey {
	key := statementKey{sql: c.sql, types: c.types}
	if q.viewer != nil {
		key.role = q.viewer.Role
	}
	return key
}

func (c *clause) formats() []int16 {
	if c.binary {
		return []int16{1}
	}
	return nil
}

func (k *statementKey) parameters() []uint32 {
	switch {
	case k.types[0] == 0:
		return nil
	case k.types[1] == 0:
		return k.types[:1]
	}
	return k.types[:]
}

// statements are what is prepared on a connection, by their names there.
type statements struct {
	names  map[statementKey]string
	count  int      // of names ever given
	unused []string // to be forgotten by the server, too
}

// doubt forgets what an inquiry used, if an answer says that it is of no use: its
// results have other types now, or somebody has taken it from the connection.
func (s *statements) doubt(q *inquiry, answer *pgconn.PgError) {
	if answer.Code != "0A000" && answer.Code != "26000" {
		return
	}
	for i := range q.clauses {
		s.drop(q.clauses[i].key(q))
	}
}

func (s *statements) drop(key statementKey) {
	if name, ok := s.names[key]; ok {
		delete(s.names, key)
		s.unused = append(s.unused, name)
	}
}

// makeRoom drops statements that nobody needs now, so that no more than
// mostStatements stay.
func (s *statements) makeRoom(needed map[statementKey]*Viewer, missing int) {
	for key := range s.names {
		if len(s.names)+missing <= mostStatements {
			return
		}
		if _, ok := needed[key]; !ok {
			s.drop(key)
		}
	}
}

// statements returns what is prepared on the connection, as long as that lives.
func (l *line) statements(ctx context.Context) (*statements, error) {
	if s, ok := l.conn.CustomData()[settleName].(*statements); ok {
		return s, nil
	}
	for name, sql := range map[string]string{settleName: settle, settleNobodyName: settleNobody} {
		if _, err := l.conn.Prepare(ctx, name, sql, nil); err != nil {
			return nil, fmt.Errorf("prepare a connection: %w", err)
		}
	}
	s := &statements{names: map[statementKey]string{}}
	l.conn.CustomData()[settleName] = s
	return s, nil
}

// prepare prepares what the inquiries need and the connection has not, each as a
// viewer of the role that will use it. Where PostgreSQL refuses, that is the
// error of each inquiry that needs it.
func (l *line) prepare(ctx context.Context, inquiries []*inquiry) (*statements, error) {
	s, err := l.statements(ctx)
	if err != nil {
		return nil, err
	}
	needed := map[statementKey]*Viewer{}
	for _, q := range inquiries {
		for i := range q.clauses {
			needed[q.clauses[i].key(q)] = q.viewer
		}
	}
	var missing []statementKey
	for key := range needed {
		if s.names[key] == "" {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 && len(s.unused) == 0 {
		return s, nil
	}
	s.makeRoom(needed, len(missing))
	failures, err := l.sendPrepare(ctx, s, needed, missing)
	if err != nil {
		return nil, err
	}
	for _, q := range inquiries {
		for i := range q.clauses {
			if failure := failures[q.clauses[i].key(q)]; failure != nil && q.err == nil {
				q.err = q.stale(failure)
			}
		}
	}
	return s, nil
}

// sendPrepare prepares statements, and returns what PostgreSQL says of those that
// it refuses.
func (l *line) sendPrepare(ctx context.Context, s *statements, viewers map[statementKey]*Viewer, missing []statementKey) (map[statementKey]*pgconn.PgError, error) {
	p := l.conn.StartPipeline(ctx)
	for _, name := range s.unused {
		p.SendDeallocate(name)
		p.SendPipelineSync()
	}
	names := make([]string, len(missing))
	for i, key := range missing {
		s.count++
		names[i] = "tutti_" + strconv.Itoa(s.count)
		l.settle(p, viewers[key], "")
		p.SendPrepare(names[i], key.sql, key.parameters())
		p.SendPipelineSync()
	}
	failures := map[statementKey]*pgconn.PgError{}
	err := p.Flush()
	for i := -len(s.unused); err == nil && i < len(missing); i++ {
		var refusal *pgconn.PgError
		if refusal, err = l.heed(p); err != nil || i < 0 {
			continue
		}
		if refusal != nil {
			failures[missing[i]] = refusal
		} else {
			s.names[missing[i]] = names[i]
		}
	}
	if e := p.Close(); err == nil && !isAnswer(e) {
		err = e
	}
	if err == nil {
		s.unused = nil
	}
	return failures, err
}

// heed reads to the next end of a transaction, and returns what PostgreSQL
// refused up to there.
func (l *line) heed(p *pgconn.Pipeline) (refusal *pgconn.PgError, err error) {
	for {
		result, err := p.GetResults()
		if reader, ok := result.(*pgconn.ResultReader); ok {
			_, err = reader.Close()
		}
		l.watch.Reset(l.patience)
		if err != nil {
			answer, err := answerOf(err)
			if err != nil {
				return nil, err
			}
			refusal = answer
			continue
		}
		switch result.(type) {
		case *pgconn.PipelineSync:
			return refusal, nil
		case nil:
			return nil, errors.New("an answer is missing")
		}
	}
}

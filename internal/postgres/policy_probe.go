package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// A statement of probes is prepared on each connection.
type statement struct{ name, sql string }

var (
	probeBegin    = statement{"probe_begin", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"}
	probeTimer    = statement{"probe_timer", setStatementTimeout}
	probeSave     = statement{"probe_save", "SAVEPOINT probe"}
	probeBack     = statement{"probe_back", "ROLLBACK TO SAVEPOINT probe"}
	probeSaveRole = statement{"probe_save_role", "SAVEPOINT probe_role"} // with the asker's role and settings
	probeBackRole = statement{"probe_back_role", "ROLLBACK TO SAVEPOINT probe_role"}
	probeRollback = statement{"probe_rollback", "ROLLBACK"}
	probeCommit   = statement{"probe_commit", "COMMIT"}

	// What policies see of the asker (database.md §2.7). The role comes last: from
	// then on everything is done with its rights.
	probeAsker = statement{"probe_asker", `
SELECT set_config('realtime.topic', $1::text, true),
  set_config('request.jwt.claims', $2::text, true),
  set_config('request.jwt.claim.sub', $3::text, true),
  set_config('request.jwt.claim.role', $4::text, true),
  set_config('request.headers', $5::text, true),
  set_config('role', $4::text, true)`}

	// The rows for reading are written by our own role. These are statements of
	// their own, as PostgreSQL plans one anew whenever another role executes it.
	probeRow  = statement{"probe_row", probeInsert.sql}
	probeRows = statement{"probe_rows", probeInsert.sql + `,
($1::text, $4::text, timezone('utc', now()), timezone('utc', now()), $5::uuid)`}

	// The row of a probe: private is false, event and payload are NULL. It has no
	// RETURNING, as that would ask the policies for reading as well.
	probeInsert = statement{"probe_insert", `
INSERT INTO realtime.messages (topic, extension, updated_at, inserted_at, id)
VALUES ($1::text, $2::text, timezone('utc', now()), timezone('utc', now()), $3::uuid)`}

	// The time is that of the transaction, as in the rows, so that one partition
	// is looked at only.
	probeSelect = statement{"probe_select", `
SELECT id::text FROM realtime.messages
WHERE inserted_at = timezone('utc', now()) AND id = ANY (ARRAY[$1::uuid, $2::uuid])`}

	probeStatements = [...]statement{
		probeBegin, probeTimer, probeSave, probeBack, probeSaveRole, probeBackRole, probeRollback, probeCommit,
		probeAsker, probeRow, probeRows, probeInsert, probeSelect,
	}
)

// A call is a statement with its arguments, as text.
type call struct {
	statement // without a name it is not prepared
	args      []string
	formats   []int16 // of the columns of the result: 0 is text, 1 binary; nil is text
}

// A part of a probe ends with a Sync: after an error PostgreSQL passes over
// everything up to there. So each part can fail by itself, and all are sent in
// one go.
type part struct {
	calls []call
	about string // "read", "broadcast" or "presence" (to write), "" if nothing
}

// A probe is one transaction that is rolled back. Each part that answers goes
// back to before what the one before it did, so that none sees rows of another.
type probe struct {
	q                   *wish
	broadcast, presence string // ids of the rows for reading
	parts               []part
}

func newProbe(q *wish, timeout string) *probe {
	p := &probe{q: q, broadcast: newID(), presence: newID()}
	headers := string(q.Headers)
	if headers == "" {
		headers = "{}"
	}
	asker := call{statement: probeAsker, args: []string{q.Topic, string(q.Claims), q.Subject, q.Role, headers}}
	insert := func(extension string) call {
		return call{statement: probeInsert, args: []string{q.Topic, extension, newID()}}
	}
	// The transaction begins in the first part. If it does not, nothing else of
	// that part is done, and going back to a savepoint fails in the others: no row
	// can ever be written outside the transaction, and stay.
	begin := []call{{statement: probeBegin}, {statement: probeTimer, args: []string{timeout}}}
	if q.read {
		calls := begin
		if q.write {
			calls = append(calls, call{statement: probeSave})
			begin = []call{{statement: probeBack}}
		}
		rows := call{statement: probeRow, args: []string{q.Topic, "broadcast", p.broadcast}}
		if q.presence {
			rows.statement, rows.args = probeRows, append(rows.args, "presence", p.presence)
		}
		see := call{statement: probeSelect, args: []string{p.broadcast, p.presence}}
		p.add("read", append(calls, rows, asker, see)...)
	}
	if q.write {
		p.add("broadcast", append(begin, asker, call{statement: probeSaveRole}, insert("broadcast"))...)
		if q.presence {
			p.add("presence", call{statement: probeBackRole}, insert("presence"))
		}
	}
	p.parts = append(p.parts, part{calls: []call{{statement: probeRollback}}})
	return p
}

func (p *probe) add(about string, calls ...call) {
	p.parts = append(p.parts, part{calls: calls, about: about})
}

// partitionsFirst makes the missing partitions, in a transaction of its own that
// is committed. If that fails the rest is as it would have been.
func (p *probe) partitionsFirst() error {
	text, err := partitionsSQL()
	if err != nil {
		return err
	}
	first := []part{
		{calls: []call{{statement: probeBegin}, {statement: statement{sql: fmt.Sprintf(partitionsSettings, "")}}, {statement: statement{sql: text}}}},
		{calls: []call{{statement: probeCommit}}},
	}
	p.parts = append(first, p.parts...)
	return nil
}

// An answer is what became of one part.
type answer struct {
	done int             // calls that succeeded
	rows [][][]byte      // of the last call
	err  *pgconn.PgError // of the call after these
}

// send sends all parts and returns their answers. An error means that the
// connection is of no use any more.
func send(ctx context.Context, conn *pgconn.PgConn, parts []part) ([]answer, error) {
	pipeline := conn.StartPipeline(ctx)
	for _, part := range parts {
		for _, c := range part.calls {
			args := make([][]byte, len(c.args))
			for i, a := range c.args {
				args[i] = []byte(a)
			}
			if c.name == "" {
				pipeline.SendQueryParams(c.sql, args, nil, nil, c.formats)
			} else {
				pipeline.SendQueryPrepared(c.name, args, nil, c.formats)
			}
		}
		pipeline.SendPipelineSync()
	}
	return receive(pipeline, len(parts))
}

// receive takes in the answers to parts.
func receive(pipeline *pgconn.Pipeline, parts int) ([]answer, error) {
	err := pipeline.Flush()
	answers := make([]answer, parts)
	for i := 0; err == nil && i < parts; {
		var synced bool
		if synced, err = answers[i].receive(pipeline); synced {
			i++
		}
	}
	return answers, errors.Join(err, end(pipeline))
}

// receive takes in one result and reports whether it was the Sync.
func (a *answer) receive(pipeline *pgconn.Pipeline) (synced bool, err error) {
	result, err := pipeline.GetResults()
	if reader, ok := result.(*pgconn.ResultReader); ok {
		read := reader.Read()
		a.rows, err = read.Rows, read.Err
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case ok && pg.Severity != "FATAL" && pg.Severity != "PANIC":
		a.err = pg
	case err != nil:
		return false, err
	case result == nil:
		return false, errors.New("fewer results than questions")
	default:
		if _, synced = result.(*pgconn.PipelineSync); !synced {
			a.done++
		}
	}
	return synced, nil
}

// end closes a pipeline whose errors were seen already.
func end(pipeline *pgconn.Pipeline) error {
	err := pipeline.Close()
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return nil
	}
	return err
}

// judge makes permissions of answers.
func (p *probe) judge(answers []answer) (read, write Permission, err error) {
	for i, a := range answers {
		part := &p.parts[i]
		// That the last call, the insert, lacks the privilege is an answer.
		denied := a.err != nil && a.err.Code == "42501" && a.done == len(part.calls)-1
		switch {
		case part.about == "":
			continue // what partitions are missed for says so itself
		case a.err != nil && (part.about == "read" || !denied):
			return Permission{}, Permission{}, a.err
		case part.about == "read":
			read = p.visible(a.rows)
		case part.about == "broadcast":
			write.Broadcast = !denied
		default:
			write.Presence = !denied
		}
	}
	return read, write, nil
}

func (p *probe) visible(rows [][][]byte) (read Permission) {
	for _, row := range rows {
		switch string(row[0]) {
		case p.broadcast:
			read.Broadcast = true
		case p.presence:
			read.Presence = p.q.presence
		}
	}
	return read
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

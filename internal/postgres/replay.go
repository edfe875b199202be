package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// replayTimeout bounds a replay, in the database too.
const replayTimeout = 5 * time.Second

// A Stored is a message that lies in the database.
type Stored struct {
	ID         string // a UUID
	Event      string
	Payload    []byte // JSON as PostgreSQL writes it, or the bytes
	Binary     bool
	InsertedAt time.Time
}

// selectStored has the latest first. Rows of one transaction have the same time;
// among them the number of their statement counts, and then their place in the
// table. Both hold for rows that nobody updated.
const selectStored = `
SELECT id::text, event, coalesce(binary_payload, convert_to(payload::text, 'UTF8')), binary_payload IS NOT NULL, inserted_at
FROM realtime.messages
WHERE topic = $1::text AND private IS TRUE AND extension = 'broadcast' AND event IS NOT NULL
  AND (payload IS NOT NULL OR binary_payload IS NOT NULL)
  AND inserted_at >= timezone('utc', $2::text::timestamptz) AND inserted_at < timezone('utc', now()) + interval '1 minute'
ORDER BY inserted_at DESC, cmin::text::bigint DESC, ctid DESC
LIMIT $3::text::int`

// awaitCommits waits, for a tenth of a second at most, until those have ended who
// are writing messages. A transaction is in the log, and its messages are heard,
// a moment before others can see its rows; with a synchronous standby that is
// a while. Who begins to hear in that moment would get them in neither way. It
// has its locks until its rows can be seen.
const awaitCommits = `
DO $$
DECLARE
  writers text[];
  patience timestamptz := clock_timestamp() + interval '100 ms';
BEGIN
  SELECT array_agg(virtualtransaction) INTO writers
  FROM pg_locks
  WHERE locktype = 'relation' AND relation = 'realtime.messages'::regclass AND mode = 'RowExclusiveLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
  WHILE writers IS NOT NULL AND clock_timestamp() < patience AND EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'realtime.messages'::regclass AND virtualtransaction = ANY (writers)
  ) LOOP
    PERFORM pg_sleep(0.001);
  END LOOP;
END $$`

// setStatementTimeout is for one transaction.
const setStatementTimeout = "SELECT set_config('statement_timeout', $1::text, true)"

// Replay returns the last messages of a private topic, its name without
// "realtime:", that were stored at or after since: limit of them at most, oldest
// first. Messages of one transaction come in the order in which they were
// inserted. Those that are in the log are there, as far as awaitCommits can help.
// No policy is asked: whoever calls has done so. Rows without an event or
// a payload are no messages.
func (d *Database) Replay(ctx context.Context, topic string, since time.Time, limit int) ([]Stored, error) {
	if limit < 1 {
		return nil, nil
	}
	if since.Year() < 1 {
		since = time.Time{} // PostgreSQL's calendar begins after Go's
	}
	ctx, cancel := within(ctx, replayTimeout+time.Second)
	defer cancel()
	var messages []Stored
	err := d.policies.AcquireFunc(ctx, func(conn connection) (err error) {
		messages, err = replay(ctx, conn.Conn().PgConn(), topic, since.UTC().Format(time.RFC3339Nano), strconv.Itoa(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("replay messages: %w", failed(err))
	}
	slices.Reverse(messages)
	return messages, nil
}

// replay sends all in one go, which makes it one transaction, and names no
// statement, so that the timeout is in force when this one is parsed.
func replay(ctx context.Context, conn *pgconn.PgConn, args ...string) ([]Stored, error) {
	answers, err := send(ctx, conn, []part{{calls: []call{
		{statement: statement{sql: setStatementTimeout}, args: []string{milliseconds(replayTimeout)}},
		{statement: statement{sql: awaitCommits}},
		{statement: statement{sql: selectStored}, args: args, formats: []int16{0, 0, 1, 0, 0}},
	}}})
	if err != nil {
		return nil, err
	}
	if answers[0].err != nil {
		return nil, answers[0].err
	}
	messages := make([]Stored, len(answers[0].rows))
	for i, row := range answers[0].rows {
		at, err := time.Parse("2006-01-02 15:04:05", string(row[4]))
		if err != nil {
			return nil, err
		}
		messages[i] = Stored{ID: string(row[0]), Event: string(row[1]), Payload: row[2], Binary: string(row[3]) == "t", InsertedAt: at}
	}
	return messages, nil
}

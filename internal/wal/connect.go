package wal

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// appName is how a feed shows in pg_stat_activity, as the reference's does.
const appName = "realtime_replication_connection"

// appNameOf returns how a feed of a term shows: with the term, so that others can
// tell who goes first.
func appNameOf(term uint64) string {
	if term == 0 {
		return appName
	}
	return appName + "/" + strconv.FormatUint(term, 16)
}

// termOf reads what appNameOf writes; found is false for everybody else.
func termOf(name string) (term uint64, found bool) {
	hex, ours := strings.CutPrefix(name, appName+"/")
	if !ours {
		return 0, false
	}
	term, err := strconv.ParseUint(hex, 16, 64)
	return term, err == nil && term != 0
}

// goodbye bounds how long an end may take.
const goodbye = 3 * time.Second

// answerWithin bounds what the server answers from memory.
const answerWithin = 30 * time.Second

// keepAlive makes the system find out that the other end is gone, while creating
// a slot waits and nobody says anything: within 75 s.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}

// connect opens a connection for replication. What shapes the text of values is
// set, whatever the role or the database have set.
func connect(ctx context.Context, config *pgconn.Config, name string) (*pgconn.PgConn, error) {
	config = config.Copy()
	config.RuntimeParams = map[string]string{
		"application_name":   name,
		"replication":        "database",
		"client_encoding":    "UTF8",
		"datestyle":          "ISO",
		"intervalstyle":      "postgres",
		"timezone":           "UTC",
		"extra_float_digits": "1",
		"bytea_output":       "hex",
		"statement_timeout":  "0", // creating a slot waits for others
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	below := conn.Conn()
	if secure, ok := below.(*tls.Conn); ok {
		below = secure.NetConn()
	}
	if tcp, ok := below.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(keepAlive) // not every system can; it is a matter of time then
	}
	return conn, nil
}

// hangUp closes a connection, and waits until what pgconn does in the background
// has ended.
func hangUp(ctx context.Context, conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	conn.Close(ctx)
	select {
	case <-conn.CleanupDone():
	case <-ctx.Done():
	}
}

// queryRow returns a query's first row as text, nil if there is none. Null is "".
// Replication connections know the simple protocol only.
func queryRow(ctx context.Context, conn *pgconn.PgConn, sql string) ([]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("%d results of one query", len(results))
	}
	if len(results[0].Rows) == 0 {
		return nil, nil
	}
	row := make([]string, len(results[0].Rows[0]))
	for i, column := range results[0].Rows[0] {
		row[i] = string(column)
	}
	return row, nil
}

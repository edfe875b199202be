// Package wal turns a tenant's replication stream into changes. It knows the
// replication protocol, pgoutput's messages, slots, and how a column's text
// becomes JSON. The owner of a tenant's changes calls Feed.Run; whoever writes a
// change for a client calls AppendJSON. A Feed owns one connection, and while it
// streams one goroutine besides its caller's: the one that sends the standby
// status, so that a slow consumer never looks dead to the database.
//
// # Nothing is streamed before its commit
//
// pgoutput can send large transactions while they run (the option streaming, of
// protocol version 2 and later). We leave it off and speak version 1, which all
// servers have. With it off the server keeps what does not fit its
// logical_decoding_work_mem on its own disk, and sends every transaction after
// its commit, whole and in commit order; how much of it we hold is then bounded
// by the part that we hand over, as we read no further while the consumer
// works. With it on we would have to keep transactions that may yet be rolled
// back, on our own disk, to gain only the time of sending: 1,000,000 rows
// arrive here in 2 s, with less than 16 MB of heap. The decoder understands
// versions 1 to 4 nevertheless, so that the decision is one option to revise.
//
// # Nothing twice, nothing missing
//
// The server sends again what was not confirmed when a connection breaks. A Feed
// remembers what it has handed over, down to the change within a transaction,
// and leaves it out. A new process remembers nothing: it gets again what was not
// confirmed.
//
// # A new Table says: look again
//
// The server describes a table before the first change of it on a connection,
// and again before the next change after whatever invalidates what it remembers
// of the table. That it sends in the order of the log, within a transaction too.
// Each description makes a new *tutti.Table, even if it says the same as before:
// what was altered may be what it does not say, such as who may see a row.
// Whoever remembers something of a table's catalog may do so for as long as the
// pointer is the same. These make a new one: ALTER TABLE in all its forms, row
// level security and replica identity included; CREATE, ALTER and DROP POLICY;
// GRANT and REVOKE on the table or its columns; CREATE INDEX and TRIGGER; and
// putting the table, or its schema, into a publication or taking it out. These do
// not, since they change the table only by way of something else: membership
// in roles and their attributes, functions that policies call, other tables that
// they look into, types of columns, and, before PostgreSQL 16, rights on the
// table's schema and its name.
//
// The few queries here are about slots and publications, and run on the
// replication connection itself.
package wal

import (
	"fmt"
	"strconv"
	"strings"
)

// FormatLSN returns a position as PostgreSQL writes it, such as 16/B374D848.
func FormatLSN(lsn uint64) string { return fmt.Sprintf("%X/%X", lsn>>32, uint32(lsn)) }

// parseLSN reads what PostgreSQL writes. "" is 0, for a slot without position.
func parseLSN(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	high, low, _ := strings.Cut(s, "/")
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%q is not a position of the log", s)
	}
	return h<<32 | l, nil
}

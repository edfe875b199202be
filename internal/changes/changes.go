// Package changes knows which subscriptions want which row: it reads what a
// client asked for, checks it against a table, matches rows in memory on typed
// values, and writes a change as the client gets it. internal/channel parses
// and answers with it, internal/app feeds it the transactions of a database.
// It is pure: it owns no goroutine and does no I/O, and what it cannot decide
// exactly as PostgreSQL would it says (Ask), for its caller to ask PostgreSQL.
//
// Specification: the Postgres Changes part of
// https://supabase.com/docs/guides/realtime/postgres-changes
package changes

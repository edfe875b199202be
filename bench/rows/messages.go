package main

import "time"

// open lets everybody who is signed in read messages.
const open = `
CREATE POLICY reading ON realtime.messages FOR SELECT TO authenticated USING (true);`

// send sends the messages from one number to another.
const send = `SELECT realtime.send(jsonb_build_object('n', n, 'text', 'a message of the database'), 'note', 'board', true)
FROM generate_series($1::bigint, $2::bigint) n`

// board is the script of messages: everybody listens to one private channel.
func board(name, what string) *script {
	s := table(name, what)
	s.statements, s.told, s.warm = open, false, 1
	s.topic = func(int) string { return "realtime:board" }
	s.config = func(int) string {
		return `{"broadcast":{"ack":false,"self":false},"presence":{"key":"","enabled":false},"postgres_changes":[],"private":true}`
	}
	s.insert = send
	s.arguments = func(first, last int) []any { return []any{first, last} }
	return s
}

func message(short bool) *script {
	s := board("messages", "realtime.send() to one client of a private channel")
	s.users = 1
	s.budgets = func(r *result) []budget {
		return append(within(20)(r), held(r.Latency.Count > 0 && r.Latency.P50 <= 5, "p50 ≤ 5 ms"))
	}
	if short {
		s.brief(50, 1)
	}
	return s
}

func messages(short bool) *script {
	s := board("messages", "realtime.send() in transactions of 500, to the clients of a private channel")
	s.users, s.rate, s.length, s.batch = 100, 5000, 10*time.Second, 500
	if short {
		s.brief(500, 10)
		s.batch = 50
	}
	s.warm = s.batch
	return s
}

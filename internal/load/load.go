// Package load plays many clients of a realtime server at once and says what
// they saw: deliveries per second, latency, losses, refusals, and what the
// server process spent on it. cmd/tutti calls it for "tutti bench", bench/run
// for the comparison with other servers; bench/rows has an Audience listen to
// what comes out of a database.
//
// One loop owns all connections and all figures, so nothing here needs a lock.
// On Linux it waits for plain connections with an epoll of its own, which lets
// one core play 20,000 clients; with TLS, or elsewhere, every connection has
// a goroutine that reads. A run starts goroutines only for that, and waits for
// them.
package load

// Package chaos breaks clusters on purpose and watches what their clients hear.
// It holds tests only: three processes of `tutti serve`, each in a network of
// its own where the machine allows that, on one PostgreSQL. A test kills,
// freezes or cuts off one of them while rows are written, and asks at the end
// whether every client that stayed heard each row once, and whether everybody
// agrees on who is there. It owns the processes, the networks and the clients.
//
// TUTTI_CHAOS=long makes the faults and the loads longer, TUTTI_CHAOS_SEED repeats
// the random ones. TUTTI_CHAOS_RACE=1 has the processes look for races. With
// TUTTI_CHAOS_NETWORK=proxies or TUTTI_CHAOS_POSTGRESQL=none the tests do as if
// they ran on a lesser machine.
package chaos

// Package yard is the network in which the nodes of a cluster stand that is
// broken on purpose: namespaces of Linux where the machine allows that, proxies
// on the loopback elsewhere. It cuts ways between nodes, in one direction or in
// both, and starts processes that end with their owner. internal/chaos and
// bench/soak use it. It owns what it opened until Close, and a process's
// goroutine until the process has ended.
package yard

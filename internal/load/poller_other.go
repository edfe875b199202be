//go:build !linux

package load

// newPoller returns goroutines: there is no epoll here.
func newPoller(r *runner) (poller, error) { return newStreams(r), nil }

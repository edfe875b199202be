//go:build !linux

package socket

import "net"

// newPoller returns a bell: there is no epoll here.
func newPoller(*loop, bool) (poller, error) { return newBell(), nil }

// plain takes over no connection: there is nothing here that would watch it.
func (l *loop) plain(*conn, net.Conn) (wire, error) { return nil, nil }

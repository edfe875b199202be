package app

import "github.com/tutti-realtime/tutti/internal/api"

// status returns the node's numbers as of now.
func (a *App) status() api.Status {
	tenants := 0
	for range a.meters.All() {
		tenants++
	}
	return api.Status{
		Version: a.config.Version, Started: a.began,
		Connections: a.sockets.Open(), Topics: a.topics.Topics(), Tenants: tenants,
	}
}

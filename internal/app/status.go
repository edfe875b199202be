package app

import (
	"errors"
	"time"

	"github.com/tutti-realtime/tutti/internal/api"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

// status returns the node's numbers as of now.
func (a *App) status() api.Status {
	load := a.load()
	self := a.bus.Members()[0]
	s := api.Status{
		Version: a.config.Version, Started: a.began, Node: self.ID, Region: self.Region,
		Connections: int(load[loadConnections]), Topics: int(load[loadTopics]), Tenants: int(load[loadTenants]),
	}
	if a.several != nil {
		s.Cluster = a.clusterStatus()
	}
	return s
}

func (a *App) clusterStatus() *api.ClusterStatus {
	s := &api.ClusterStatus{
		Name: a.config.Cluster.Name, Lost: api.Milliseconds(a.config.Cluster.Lost), Bus: api.BusStatus(a.several.Stats()),
	}
	for _, m := range a.several.Members() {
		s.Nodes = append(s.Nodes, nodeStatus(&m))
	}
	return s
}

func nodeStatus(m *cluster.Member) api.NodeStatus {
	leaving := m.Load[loadLeaving] != 0
	delete(m.Load, loadLeaving)
	return api.NodeStatus{
		ID: m.ID, Self: m.Self, Region: m.Region, Version: m.Version, Started: m.Started(), Addresses: m.Addresses,
		RoundTrip: api.Milliseconds(m.RoundTrip), Silent: api.Milliseconds(m.Silent),
		Missed: m.Missed, Leaving: leaving, Load: m.Load, RoundTrips: m.RoundTrips,
	}
}

// What nodes say of how busy they are, by these names.
const (
	loadConnections = "connections"
	loadTopics      = "topics"
	loadTenants     = "tenants"
	loadOwned       = "feeds_owned"    // databases that it reads
	loadFollowed    = "feeds_followed" // databases that another node reads for it
	loadLeaving     = "leaving"        // 1: the node stops
)

// load says how busy the node is.
func (a *App) load() map[string]float64 {
	load := map[string]float64{
		loadConnections: float64(a.sockets.Open()), loadTopics: float64(a.topics.Topics()), loadTenants: float64(a.meters.Count()),
	}
	if a.relay != nil {
		streams := a.relay.Stats()
		load[loadOwned], load[loadFollowed] = float64(streams.Owned), float64(streams.Followed)
	}
	if a.leaving.Load() {
		load[loadLeaving] = 1
	}
	return load
}

var (
	errLeaving  = errors.New("draining")
	errNoTables = errors.New("the control database is not ready")
	errOutside  = errors.New("not in the cluster yet")
)

// readiness returns why no new clients should be sent here, nil if they should.
func (a *App) readiness() error {
	if a.leaving.Load() {
		return errLeaving
	}
	select {
	case <-a.ready:
	default:
		return errNoTables
	}
	if a.several != nil {
		select {
		case <-a.several.Ready():
		default:
			return errOutside
		}
		// One that has just come has yet to be found by those who are there.
		if alone := len(a.several.Members()) < 2; alone && time.Since(a.began) < time.Duration(a.config.Cluster.Lost)*8/10 {
			return errOutside
		}
	}
	return nil
}

// spread is over how long clients are hung up on at a stop: without other nodes
// there is nobody whom they could overrun.
func (a *App) spread() time.Duration {
	if len(a.bus.Members()) < 2 {
		return 0
	}
	return time.Duration(a.config.DrainSpread)
}

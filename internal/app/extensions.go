package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/extend"
)

// hostExtensions makes the host of the configuration's extensions.
func (a *App) hostExtensions(door *broadcast.Door, registry prometheus.Registerer) error {
	if err := extend.Check(a.config.Extensions); err != nil {
		return err
	}
	self := a.bus.Members()[0]
	a.workshops = &database.Extensions{Log: a.log}
	a.extensions = &extend.Host{
		Extensions: a.config.Extensions, Node: self.ID, Epoch: uint64(a.began.UnixNano()),
		Bus: cluster.On(a.bus, callExtend), Log: a.log, Presence: a.roster.State, Databases: a.workshops, Portable: a.config.Tuning.Portable,
		Publish: func(t *tutti.Tenant, m tutti.Message) error {
			return door.Send(t, a.meters.Of(t.ExternalID), 0, m)
		},
	}
	door.Guard, a.feeds.Door.Guard = a.extensions, a.extensions
	for _, l := range a.feeds.Loops {
		a.extensions.Loops = append(a.extensions.Loops, l)
	}
	if len(a.config.Extensions) > 0 {
		a.clients.Rooms = rooms{a.extensions}
		registry.MustRegister(extend.NewMetrics(a.extensions))
		a.sockets.Attend = a.extensions.Attend
	}
	return nil
}

// rooms are those of a host of extensions, as channels know them.
type rooms struct{ *extend.Host }

// Enter implements channel.Rooms.
func (r rooms) Enter(t *tutti.Tenant, now func() *tutti.Tenant, topic tutti.Topic, v *channel.Visitor) channel.Place {
	seat := r.Host.Enter(t, now, topic, extend.Guest{Member: v.Member, Loop: v.Loop, Hear: v.Hear, Refuse: v.Refuse})
	if seat == nil {
		return nil
	}
	return seat
}

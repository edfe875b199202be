package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/admin"
	"github.com/tutti-realtime/tutti/internal/api"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/hub"
)

// openConsole makes the console for operators. audit is the log of what they do,
// none of which is left out.
func (a *App) openConsole(loops []hub.Loop, audit *slog.Logger) error {
	c := &a.config
	if err := c.Admin.check(); err != nil {
		return err
	}
	a.console = admin.New(&admin.Console{
		Keys: admin.Keys{
			User: c.Admin.User, Password: c.Admin.Password,
			Secrets: given(c.DevSecret, c.API.NextSecret), Blocklist: c.API.Blocklist, Validators: c.ClaimValidators,
		},
		Gate: a.gate, Registry: a.registry, Directory: a.directory, Defaults: c.Defaults(),
		Writable:  a.control != nil || a.file != nil && !c.Cluster.Several(),
		TenantURL: c.Admin.TenantURL,
		Meters:    a.meters, Topics: a.topics, Loops: loops, Roster: a.roster, Feeds: a.feeds, Sockets: a.sockets, Bus: a.bus,
		SlotSuffix: c.Rows.SlotSuffix,
		Health: func(ctx context.Context, t *tutti.Tenant) admin.Health {
			return admin.Health(a.health(ctx, t))
		},
		Expel: func(ctx context.Context, id string, who channel.Who) (int, error) {
			n, err := a.everywhere(ctx, callExpel, &operation{Tenant: id, Subject: who.Subject, Topic: who.Topic, Private: who.Private})
			return n, consoleFault(err)
		},
		Reload: func(ctx context.Context, id string) error {
			_, err := a.everywhere(ctx, callRestart, &operation{Tenant: id})
			return consoleFault(err)
		},
		Log: audit,
	})
	return nil
}

// consoleFault words what the tenants API refuses as the console does.
func consoleFault(err error) error {
	if refusal, ok := errors.AsType[*api.Refusal](err); ok {
		return &admin.Fault{Status: refusal.Status, Code: "ClusterNodesSilent", Message: refusal.Message, Cure: "See in the overview which nodes are there, and try again"}
	}
	return err
}

package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/tutti-realtime/tutti/internal/systemd"
)

// A manager is the service manager that started the server, if one did. The
// server works without it as well, so what it does not hear is only logged.
type manager struct {
	systemd.Notifier
	log *slog.Logger
}

func openManager(log *slog.Logger) manager {
	n, err := systemd.FromEnvironment(os.Getenv, os.Getpid())
	if err != nil {
		log.Warn("the service manager cannot be told anything", "err", err)
	}
	return manager{n, log}
}

// waits says what a server that is not ready waits for.
func (m manager) waits(ctx context.Context) {
	m.tell(ctx, systemd.Status("waits for its control database"))
}

// attend says that the server is ready, for as long as ctx lasts that it is alive,
// and in the end that it stops.
func (m manager) attend(ctx context.Context, address string, alive func(context.Context) error) {
	m.tell(ctx, systemd.Ready, systemd.Status("serves "+address))
	if err := m.Watch(ctx, alive); err != nil {
		m.log.Warn("the watchdog is not fed any more", "err", err)
	}
	<-ctx.Done()
	m.tell(context.WithoutCancel(ctx), systemd.Stopping, systemd.Status("stops, and lets its clients go"))
}

func (m manager) tell(ctx context.Context, said ...string) {
	if err := m.Notify(ctx, said...); err != nil {
		m.log.Warn("the service manager did not hear", "err", err)
	}
}

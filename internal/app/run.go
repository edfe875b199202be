package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Listen opens the port of the configuration.
func (a *App) Listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	address := net.JoinHostPort(a.config.Host, strconv.Itoa(a.config.Port))
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// Run serves what comes in through l until ctx ends or something fails, and
// then stops in order. It returns when every goroutine of the node has ended.
func (a *App) Run(ctx context.Context, l net.Listener) error {
	running, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	below, stopBelow := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopBelow(nil)
	var rooms, lower sync.WaitGroup
	start := func(group *sync.WaitGroup, ctx context.Context, room string, run func(context.Context) error) {
		group.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				stop(fmt.Errorf("%s: %w", room, err))
			}
		})
	}
	// What others depend on, to the end: feeds give their leases away over the bus.
	start(&lower, below, "join the cluster", a.runBus)
	start(&lower, below, "count", a.meters.Run)
	start(&lower, below, "sum up the log", a.repeats.Run)
	if a.tracer != nil {
		start(&lower, below, "send traces", a.tracer.Run)
	}
	start(&lower, below, "tell who is present", a.roster.Run)
	if a.relay != nil {
		start(&lower, below, "share streams", a.relay.Run)
	}

	start(&rooms, running, "look after the console", a.console.Run)
	start(&rooms, running, "run the event loops", a.sockets.Run)
	start(&rooms, running, "feed changes", a.feeds.Run)
	start(&rooms, running, "ask databases", a.databases.Run)
	start(&rooms, running, "run extensions", a.extensions.Run)
	start(&rooms, running, "lend databases to extensions", a.workshops.Run)
	if a.file != nil {
		start(&rooms, running, "watch the tenants", a.watchTenants)
	}
	if a.control != nil {
		start(&rooms, running, "control database", a.watchControl)
		if a.cipher.WritesGCM() {
			start(&rooms, running, "reseal secrets", a.resealSecrets)
		}
		defer a.control.Close()
	}
	if a.credential != nil {
		start(&rooms, running, "watch the certificate", a.credential.run)
	}
	if a.config.TLS.Redirect != 0 {
		start(&rooms, running, "send browsers to TLS", func(ctx context.Context) error { return a.redirect(ctx, l) })
	}
	start(&rooms, running, "serve HTTP", func(context.Context) error { return a.serve(l) })
	select {
	case <-ctx.Done():
	case <-running.Done():
	}
	failure := context.Cause(running)
	a.drain(context.WithoutCancel(ctx))
	stop(nil)
	rooms.Wait()
	stopBelow(nil)
	lower.Wait()
	return failure
}

func (a *App) serve(l net.Listener) (err error) {
	if a.credential != nil {
		err = a.server.ServeTLS(l, "", "")
	} else {
		err = a.server.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// watchTenants tells the directory what changes in the file.
func (a *App) watchTenants(ctx context.Context) error {
	return a.file.Run(ctx, func(ids []string) {
		if err := a.directory.Refresh(ctx, ids...); err != nil {
			a.log.Error("tenants could not be refreshed", "err", err)
		}
	})
}

// drain refuses what is new and ends what is there: it says that the node is not
// ready, and after a while hangs up on its clients, one after another. Whoever has
// not gone when the grace is over is dropped, which is no failure of the server's.
func (a *App) drain(ctx context.Context) {
	a.leaving.Store(true)
	a.log.Info("stopping", "clients", a.sockets.Open())
	sleep(ctx, time.Duration(a.config.DrainDelay))
	ctx, cancel := context.WithTimeout(ctx, time.Duration(a.config.Grace))
	defer cancel()
	a.clients.Close()
	if err := a.sockets.Drain(ctx, a.spread()); err != nil {
		a.log.Warn("clients were dropped that did not close in time", "clients", a.sockets.Open(), "err", err)
	}
	a.console.Close()
	// Not before: whoever comes meanwhile is told to come again.
	if err := a.server.Shutdown(ctx); err != nil {
		a.log.Warn("requests were cut off", "err", errors.Join(err, a.server.Close()))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

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
	var rooms sync.WaitGroup
	start := func(room string, run func(context.Context) error) {
		rooms.Go(func() {
			if err := run(running); err != nil && !errors.Is(err, context.Canceled) {
				stop(fmt.Errorf("%s: %w", room, err))
			}
		})
	}
	start("count", a.meters.Run)
	start("run the event loops", a.sockets.Run)
	start("feed changes", a.feeds.Run)
	start("ask databases", a.databases.Run)
	if a.file != nil {
		start("watch the tenants", a.watchTenants)
	}
	if a.control != nil {
		start("control database", a.watchControl)
		if a.cipher.WritesGCM() {
			start("reseal secrets", a.resealSecrets)
		}
		defer a.control.Close()
	}
	start("serve HTTP", func(context.Context) error { return a.serve(l) })
	select {
	case <-ctx.Done():
	case <-running.Done():
	}
	failure := context.Cause(running)
	a.drain(context.WithoutCancel(ctx))
	stop(nil)
	rooms.Wait()
	return failure
}

func (a *App) serve(l net.Listener) (err error) {
	if a.config.TLSCert != "" {
		err = a.server.ServeTLS(l, a.config.TLSCert, a.config.TLSKey)
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

// drain refuses what is new and ends what is there: joins, connections, clients.
// Whoever has not gone when the grace is over is dropped, which is no failure
// of the server's.
func (a *App) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(a.config.Grace))
	defer cancel()
	a.clients.Close()
	a.log.Info("stopping", "clients", a.sockets.Open())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.server.Shutdown(ctx); err != nil {
			a.log.Warn("requests were cut off", "err", errors.Join(err, a.server.Close()))
		}
	})
	wg.Go(func() {
		if err := a.sockets.Drain(ctx); err != nil {
			a.log.Warn("clients were dropped that did not close in time", "clients", a.sockets.Open(), "err", err)
		}
	})
	wg.Wait()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/tutti-realtime/tutti/internal/app"
)

type serveCommand struct {
	app.Config `embed:""`
}

// Run serves until ctx ends. Keys are shown of a tenant that exists nowhere else;
// what a control database holds is not for a log.
func (s *serveCommand) Run(ctx context.Context) error {
	return serve(ctx, s.Config, newLog(os.Stderr, s.LogLevel, s.LogFormat), greeting{keys: s.DB.Host == ""})
}

// serve runs a node until ctx ends.
func serve(ctx context.Context, config app.Config, log *slog.Logger, g greeting) error {
	config.Version, config.Extensions = version, extensions()
	node, err := app.New(config, log)
	if err != nil {
		return err
	}
	l, err := node.Listen(ctx)
	if err != nil {
		return fmt.Errorf("%w; choose another with --port or PORT", err)
	}
	g.base = baseURL(l.Addr(), config.TLSCert != "")
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx, l) }()
	select {
	case err := <-ended:
		return err
	case <-node.Ready():
	}
	if err := g.print(os.Stdout, node); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	return <-ended
}

func baseURL(addr net.Addr, tls bool) string {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return scheme + "://localhost:" + strconv.Itoa(addr.(*net.TCPAddr).Port)
}

func newLog(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // kong has checked it
	options := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// A greeting is what a server says when it is ready.
type greeting struct {
	base string
	keys bool   // show the keys of the ready-made tenant
	more string // lines that stand below
}

// print says where the server is, and the keys of the ready-made tenant.
func (g greeting) print(w io.Writer, node *app.App) error {
	if !g.keys || node.Tenant() == "" {
		fmt.Fprintf(w, "Tutti %s is ready: %s\n", version, g.base)
		return nil
	}
	anon, service, err := node.Keys()
	if err != nil {
		return err
	}
	more := g.more
	if more == "" {
		more = "The keys are new at each start unless API_JWT_SECRET is set."
	}
	fmt.Fprintf(w, `Tutti %s is ready, with the tenant %q.

  page         %s/#key=%s
  URL          %s
  anon key     %s
  service key  %s

The page opens in any browser. Ctrl-C stops the server.
%s
`, version, node.Tenant(), g.base, anon, g.base, anon, service, more)
	return nil
}

package main

import (
	"context"
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

// Run serves until ctx ends.
func (s *serveCommand) Run(ctx context.Context) error {
	s.Version = version
	node, err := app.New(s.Config, newLog(os.Stderr, s.LogLevel, s.LogFormat))
	if err != nil {
		return err
	}
	l, err := node.Listen(ctx)
	if err != nil {
		return fmt.Errorf("%w; choose another with --port or PORT", err)
	}
	if err := greet(os.Stdout, node, l.Addr(), s.TLSCert != ""); err != nil {
		return err
	}
	return node.Run(ctx, l)
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

// greet says where the server is, and the keys of the ready-made tenant.
func greet(w io.Writer, node *app.App, addr net.Addr, tls bool) error {
	port := addr.(*net.TCPAddr).Port
	base := "http://localhost:" + strconv.Itoa(port)
	if tls {
		base = "https://localhost:" + strconv.Itoa(port)
	}
	anon, service, err := node.Keys()
	if err != nil {
		return err
	}
	if anon == "" {
		fmt.Fprintf(w, "Tutti %s is ready: %s\n", version, base)
		return nil
	}
	fmt.Fprintf(w, `Tutti %s is ready, with the tenant %q.

  page         %s/#key=%s
  URL          %s
  anon key     %s
  service key  %s

The page opens in any browser. Ctrl-C stops the server. The keys are new at
each start unless API_JWT_SECRET is set.
`, version, node.Tenant(), base, anon, base, anon, service)
	return nil
}

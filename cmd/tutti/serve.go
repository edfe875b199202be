package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"

	"github.com/tutti-realtime/tutti/internal/app"
)

type serveCommand struct {
	app.Config `embed:""`
}

// Run serves until ctx ends. Keys are shown of a tenant that exists nowhere else;
// what a control database holds is not for a log.
func (s *serveCommand) Run(ctx context.Context) error {
	return serve(ctx, s.Config, app.NewLog(os.Stderr, s.LogLevel, s.LogFormat), greeting{keys: s.DB.Host == ""})
}

// serve runs a node until ctx ends.
func serve(ctx context.Context, config app.Config, log *slog.Logger, g greeting) error {
	config.Version, config.Extensions = version, extensions()
	config.Tuning.Loops = makeRoom(config.Tuning.Loops)
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
	manager := openManager(log)
	manager.waits(ctx)
	ended := make(chan error, 1)
	go func() {
		err := node.Run(ctx, l)
		stop()
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-node.Ready():
	}
	if err := g.print(os.Stdout, node); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	manager.attend(ctx, g.base, node.Alive)
	return <-ended
}

// makeRoom returns the number of event loops, one for each core unless it is given, and
// has Go's runtime run one goroutine more at a time than these. Otherwise busy loops
// keep everything else waiting for up to 10 ms, such as the clock of music rooms: with
// 500 of them 97 % of the beats left within 2 ms on two cores, and 99.3 % like this.
// Whoever sets GOMAXPROCS has the last word.
func makeRoom(loops int) int {
	if loops == 0 {
		loops = runtime.GOMAXPROCS(0)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(loops+1, runtime.GOMAXPROCS(0)))
	}
	return loops
}

func baseURL(addr net.Addr, tls bool) string {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return scheme + "://localhost:" + strconv.Itoa(addr.(*net.TCPAddr).Port)
}

// A greeting is what a server says when it is ready.
type greeting struct {
	base  string
	keys  bool      // show the keys of the ready-made tenant
	admin app.Admin // who may use the console, where the password was made up
	more  string    // lines that stand below
}

// consoleLines say where the console for operators is, and who may use it.
func consoleLines(base string, a app.Admin) string {
	if a.Password == "" {
		return ""
	}
	return fmt.Sprintf("  admin        %s/admin\n  admin login  %s %s\n", base, a.User, a.Password)
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
%s
The page opens in any browser. Ctrl-C stops the server.
%s
`, version, node.Tenant(), g.base, anon, g.base, anon, service, consoleLines(g.base, g.admin), more)
	return nil
}

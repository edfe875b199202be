// Command tutti is the server and its tools: one file for each subcommand.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "dev"

// cli is the command line.
type cli struct {
	Serve   serveCommand   `cmd:"" help:"Run the server."`
	Dev     devCommand     `cmd:"" help:"Run the server with a private PostgreSQL, for development."`
	Migrate migrateCommand `cmd:"" help:"Bring the tables of the control database up to date."`
	Tenant  tenantCommand  `cmd:"" help:"Manage tenants."`
	Doctor  doctorCommand  `cmd:"" help:"Examine the database of a tenant, and say what cures what is wrong."`
	Token   tokenCommand   `cmd:"" help:"Mint a token for a tenant."`
	Bench   benchCommand   `cmd:"" help:"Put load on a server and measure."`
	Version versionCommand `cmd:"" help:"Say which version this is."`
}

func main() {
	forgetEmpty()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Exit)
	stop()
	os.Exit(code)
}

// forgetEmpty takes variables without a value for variables that are not set:
// that is how compose files say so.
func forgetEmpty() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); value == "" && name != "" {
			_ = os.Unsetenv(name) // fails for names that cannot be set either
		}
	}
}

// run runs one command and returns the status of the process.
func run(ctx context.Context, args []string, exit func(int)) int {
	var c cli
	parser := kong.Must(&c,
		kong.Name("tutti"),
		kong.Description("A realtime server that the Supabase clients can talk to: Broadcast, Presence, Postgres Changes."),
		kong.Exit(exit), kong.BindTo(ctx, (*context.Context)(nil)))
	command, err := parser.Parse(args)
	if err != nil {
		parser.Errorf("%s", err)
		fmt.Fprintln(os.Stderr, "tutti: --help says what there is")
		return 2
	}
	if err := command.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "tutti: "+err.Error())
		return 1
	}
	return 0
}

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version and what it was built from.
func (v *versionCommand) Run() error {
	revision, goVersion := buildInfo()
	if v.JSON {
		return printJSON(map[string]string{"version": version, "revision": revision, "go": goVersion})
	}
	fmt.Printf("tutti %s (revision %s, %s)\n", version, revision, goVersion)
	return nil
}

// buildInfo returns the commit that the binary was built from and the version
// of Go that built it.
func buildInfo() (revision, goVersion string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", "unknown"
	}
	revision = "unknown"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return revision, info.GoVersion
}

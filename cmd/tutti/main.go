// Command tutti is the server and its tools: one file for each subcommand.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Serve   serveCommand   `cmd:"" help:"Run the server."`
	Dev     devCommand     `cmd:"" help:"Run the server with a private PostgreSQL, for development."`
	Migrate migrateCommand `cmd:"" help:"Bring the tables of the control database up to date."`
	Tenant  tenantCommand  `cmd:"" help:"Manage tenants."`
	Doctor  doctorCommand  `cmd:"" help:"Examine the database of a tenant, and say what cures what is wrong."`
	Explain explainCommand `cmd:"" help:"Say what an error means and what cures it."`
	Token   tokenCommand   `cmd:"" help:"Mint a token for a tenant."`
	Bench   benchCommand   `cmd:"" help:"Put load on a server and measure."`
	Health  healthCommand  `cmd:"" help:"Ask a server whether it is ready; the status of this process is the answer."`
	Version versionCommand `cmd:"" help:"Say which version this is."`

	Completion completionCommand `cmd:"" help:"Print what makes a shell complete commands, flags and tenants."`
	Complete   completeCommand   `cmd:"" hidden:"" help:"Answer a shell that completes."`

	Reference referenceCommand `cmd:"" hidden:"" help:"Print a part of the documents that is made of the code."`
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

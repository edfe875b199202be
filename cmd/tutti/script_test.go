package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tutti-realtime/tutti/internal/app"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

func TestMain(m *testing.M) {
	testscript.Main(postmastertest.With(m), map[string]func(){"tutti": main})
}

// The scripts are the manual of the commands as well: each is one session.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: scriptCommands(), RequireExplicitExec: true})
}

func TestScriptsWithAControlDatabase(t *testing.T) { runWithADatabase(t, "testdata/database") }

func TestScriptsOfTheDoctor(t *testing.T) { runWithADatabase(t, "testdata/doctor") }

// runWithADatabase runs the scripts of a folder with a database of their own.
func runWithADatabase(t *testing.T, folder string) {
	t.Parallel()
	dsn, err := url.Parse(postmastertest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: folder, Cmds: scriptCommands(), RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			password, _ := dsn.User.Password()
			env.Setenv("DB_HOST", dsn.Hostname())
			env.Setenv("DB_PORT", dsn.Port())
			env.Setenv("DB_NAME", strings.TrimPrefix(dsn.Path, "/"))
			env.Setenv("DB_USER", dsn.User.Username())
			env.Setenv("DB_PASSWORD", password)
			env.Setenv("DB_ENC_KEY", "1234567890123456")
			return nil
		},
	})
}

// scriptCommands are what scripts can do besides the usual.
func scriptCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"status": status,
		"server": startServer,
		"client": connectClient,
	}
}

// status runs a program that must end with a status: status 2 tutti tenant list
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Check(err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with status %d, want %d", args[1], got, want)
	}
}

// startServer runs a server in this process with flags, and sets URL to its
// address and USED to its port: server --tenants tenants.yaml
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: server [flags...]")
	}
	var command serveCommand
	parser, err := kong.New(&command, kong.Exit(func(int) { ts.Fatalf("server %v is no command", args) }))
	ts.Check(err)
	_, err = parser.Parse(append([]string{"--host", "127.0.0.1", "--port", "0"}, args...))
	ts.Check(err)
	if command.Tenants != "" {
		command.Tenants = ts.MkAbs(args[len(args)-1]) // the script's folder is not this process's
	}
	command.Extensions = extensions()
	node, err := app.New(command.Config, slog.New(slog.DiscardHandler))
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	l, err := node.Listen(ctx)
	if err != nil {
		stop()
		ts.Fatalf("listen: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx, l) }()
	ts.Defer(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			ts.Fatalf("the server failed: %v", err)
		}
	})
	ts.Setenv("URL", "http://"+l.Addr().String())
	ts.Setenv("USED", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// connectClient joins a topic of the tenant that is the default, and waits for
// the answer: client SECRET SUB TOPIC
func connectClient(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: client SECRET SUB TOPIC")
	}
	token, err := auth.Mint(args[0], map[string]any{"role": "anon", "sub": args[1], "exp": int64(4102444800)})
	ts.Check(err)
	ctx := context.Background()
	address := "ws" + strings.TrimPrefix(ts.Getenv("URL"), "http") + "/socket/websocket?vsn=1.0.0&apikey=" + token
	c, response, err := websocket.Dial(ctx, address, nil)
	ts.Check(err)
	if response.Body != nil {
		_ = response.Body.Close()
	}
	ts.Defer(func() { _ = c.CloseNow() })
	join := `{"topic":"realtime:` + args[2] + `","event":"phx_join","payload":{"config":{}},"ref":"1","join_ref":"1"}`
	ts.Check(c.Write(ctx, websocket.MessageText, []byte(join)))
	_, reply, err := c.Read(ctx)
	ts.Check(err)
	if !strings.Contains(string(reply), `"status":"ok"`) {
		ts.Fatalf("the join was refused: %s", reply)
	}
}

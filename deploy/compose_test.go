package deploy

import (
	"context"
	"encoding/json"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/postmaster"
)

// As the stand-alone compose file has it: a database that nobody has prepared but
// init.sql, and a server with the variables of the file. A client hears of a row.
func TestTheComposeFileWorks(t *testing.T) {
	t.Parallel()
	server, err := postmaster.Start(t.Context(), postmaster.Config{})
	if err != nil {
		t.Skipf("there is no PostgreSQL: %v", err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	variables := composed(t, "compose/docker-compose.yml", "tutti")
	// The image's superuser is called postgres.
	execute(t, server.DSN("postgres"), "CREATE ROLE postgres LOGIN SUPERUSER PASSWORD '"+variables["DB_PASSWORD"]+"'")
	dsn, err := url.Parse(server.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	dsn.User = url.UserPassword("postgres", variables["DB_PASSWORD"])
	execute(t, dsn.String(), read(t, "compose/init.sql"))

	variables["DB_HOST"], variables["DB_PORT"] = dsn.Hostname(), dsn.Port()
	variables["PORT"], variables["HOST"] = "0", "127.0.0.1"
	var environ []string
	for name, value := range variables {
		environ = append(environ, name+"="+value)
	}
	n := start(t, exec.Command(build(t), "serve"), environ...)
	if out, err := run(t, build(t), "health", "--url", n.base); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	token, err := auth.Mint(variables["API_JWT_SECRET"], map[string]any{"role": "anon", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	address := "ws" + strings.TrimPrefix(n.base, "http") + "/realtime/v1/websocket?vsn=1.0.0&apikey=" + token
	c, _, err := websocket.Dial(ctx, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	join := `{"topic":"realtime:todos","event":"phx_join","ref":"1","join_ref":"1","payload":{"config":{"postgres_changes":[{"event":"INSERT","schema":"public","table":"todos"}]}}}`
	if err := c.Write(ctx, websocket.MessageText, []byte(join)); err != nil {
		t.Fatal(err)
	}
	hear(ctx, t, c, "Subscribed to PostgreSQL")
	execute(t, dsn.String(), "INSERT INTO todos (title) VALUES ('hear of this')")
	hear(ctx, t, c, "hear of this")
}

func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// hear reads messages until one has a text.
func hear(ctx context.Context, t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	for {
		_, message, err := c.Read(ctx)
		if err != nil {
			t.Fatalf("nothing says %q: %v", text, err)
		}
		var m struct{ Payload json.RawMessage }
		if err := json.Unmarshal(message, &m); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(m.Payload), text) {
			return
		}
		if strings.Contains(string(m.Payload), `"status":"error"`) {
			t.Fatalf("heard %s", message)
		}
	}
}

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti/internal/app"
	"github.com/tutti-realtime/tutti/internal/postmaster"
)

type devCommand struct {
	Data  string `help:"Folder that holds the database and the keys." env:"TUTTI_DATA" type:"path"`
	Nodes int    `help:"How many nodes, on as many ports from --port on; each is a process of its own." default:"1"`

	app.Config `embed:""`
}

// Validate looks at what can be seen before anything is started.
func (d *devCommand) Validate(line *kong.Context) error {
	if d.Nodes < 1 || d.Nodes > mostNodes {
		return fmt.Errorf("--nodes must be between 1 and %d, not %d", mostNodes, d.Nodes)
	}
	if d.Nodes > 1 {
		return refuseMade(line)
	}
	return nil
}

// database is the database of the ready-made tenant and of the control tables.
const database = "postgres"

// Run starts a private PostgreSQL and serves a tenant on it until ctx ends.
func (d *devCommand) Run(ctx context.Context, line *kong.Context) error {
	log := app.NewLog(os.Stderr, d.LogLevel, d.LogFormat)
	if d.Nodes > 1 {
		if err := d.tryPorts(ctx); err != nil {
			return err
		}
	}
	if d.Data == "" {
		folder, err := postmaster.DefaultDir()
		if err != nil {
			return err
		}
		d.Data = folder
	}
	relax(&d.Limits, line)
	fmt.Printf("PostgreSQL starts in %s ...\n", d.Data)
	began := time.Now()
	server, err := postmaster.Start(ctx, postmaster.Config{Dir: d.Data, Log: log})
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	err = d.serve(ctx, server, log, began, line.Args)
	return errors.Join(err, server.Stop(context.WithoutCancel(ctx)))
}

func (d *devCommand) serve(ctx context.Context, server *postmaster.Server, log *slog.Logger, began time.Time, args []string) error {
	if err := postmaster.Prepare(ctx, server.DSN(database)); err != nil {
		return fmt.Errorf("prepare the database: %w", err)
	}
	keys, err := openKeys(filepath.Join(d.Data, "keys.json"))
	if err != nil {
		return err
	}
	fmt.Printf("PostgreSQL %s is ready after %d ms.\n\n", strings.TrimPrefix(server.Version(), "postgres (PostgreSQL) "), time.Since(began).Milliseconds())
	config := d.Config
	config.Seed = true
	if config.DevSecret == "" {
		config.DevSecret = keys.JWTSecret
	}
	if config.DevExtensions == nil { // the classroom, for whoever wants to try it: everybody may say to be the teacher
		config.DevExtensions = app.Claims{"music": map[string]any{"trust_join_role": true}}
	}
	config.DB = app.Control{
		Host: postmaster.Host, Port: uint16(server.Port()), Name: database,
		User: postmaster.Superuser, Password: server.Password(),
		AfterConnect: d.DB.AfterConnect, PoolSize: d.DB.PoolSize, EncKey: keys.EncKey,
	}
	if config.Admin.User == "" && config.Admin.Password == "" {
		config.Admin.User, config.Admin.Password = "admin", keys.Admin
	}
	more := fmt.Sprintf(`The keys stay the same as long as the folder does. The database has an example
table, public.todos, with policies:

  psql '%s'`, server.DSN(database))
	if d.Nodes > 1 {
		return d.serveNodes(ctx, config, args, more)
	}
	return serve(ctx, config, log, greeting{keys: true, admin: config.Admin, more: more})
}

// devKeys are made once and kept beside the database.
type devKeys struct {
	JWTSecret string `json:"jwt_secret"`
	EncKey    string `json:"enc_key"` // 16 bytes
	Admin     string `json:"admin_password"`
}

func openKeys(path string) (devKeys, error) {
	var keys devKeys
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		keys = devKeys{JWTSecret: randomHex(32), EncKey: randomHex(8)}
	case err != nil:
		return keys, fmt.Errorf("read the keys: %w", err)
	default:
		if err := json.Unmarshal(text, &keys); err != nil {
			return keys, fmt.Errorf("read the keys in %s: %w; remove the file to have new ones", path, err)
		}
	}
	if keys.Admin != "" {
		return keys, nil
	}
	keys.Admin = randomHex(8) // a folder of an older release has none
	if text, err = json.Marshal(keys); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return keys, fmt.Errorf("write the keys: %w", err)
	}
	return keys, nil
}

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

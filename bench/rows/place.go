package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/postmaster"
)

// A place is a PostgreSQL and the server's program: what all loads share.
type place struct {
	dir      string // for the program, the data and the tenants file; removed at the end
	program  string
	pool     int
	server   *postmaster.Server
	template string // a database that each load gets a copy of
}

// openPlace builds the server, starts PostgreSQL and prepares the template.
func openPlace(ctx context.Context, b *bench) (_ *place, err error) {
	p := &place{program: b.server, pool: b.pool}
	if p.dir, err = os.MkdirTemp("", "tutti-rows-"); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err := p.build(ctx); err != nil {
		return nil, err
	}
	config := postmaster.Config{Throwaway: b.throwaway}
	if !b.throwaway {
		// PostgreSQL runs as another user when we are root, who must get in.
		if err := os.Chmod(p.dir, 0o755); err != nil {
			return nil, fmt.Errorf("open the folder: %w", err)
		}
		config.Dir = filepath.Join(p.dir, "postgres")
	}
	logf("starting PostgreSQL")
	if p.server, err = postmaster.Start(ctx, config); err != nil {
		return nil, err
	}
	return p, p.makeTemplate(ctx)
}

// build builds the server's program unless it is given.
func (p *place) build(ctx context.Context) error {
	if p.program != "" {
		return nil
	}
	p.program = filepath.Join(p.dir, "tutti")
	logf("building the server")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", p.program, "github.com/tutti-realtime/tutti/cmd/tutti")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return nil
}

// makeTemplate makes the database that the others are copies of. It has all
// that a server would make, so that policies on messages can be there before it.
func (p *place) makeTemplate(ctx context.Context) error {
	dsn, _, err := postmaster.Clone(ctx, p.server.DSN("postgres"), "template0")
	if err != nil {
		return err
	}
	if err := postmaster.Prepare(ctx, dsn); err != nil {
		return err
	}
	s, err := settings(dsn, 1)
	if err != nil {
		return err
	}
	d, err := postgres.OpenDatabase(s)
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Prepare(ctx); err != nil {
		return err
	}
	p.template = s.Name
	return nil
}

// settings returns those of a tenant whose database has an address.
func settings(dsn string, pool int) (d tutti.Database, err error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return d, errors.New("the address of a database is not a URL") // nor to be shown: it has a password
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return d, fmt.Errorf("port of the database: %w", err)
	}
	password, _ := u.User.Password()
	return tutti.Database{
		Host: u.Hostname(), Port: uint16(port), Name: u.Path[1:], User: u.User.Username(), Password: password, Pool: pool,
	}, nil
}

// database makes a database in which statements have been run.
func (p *place) database(ctx context.Context, statements string) (dsn string, drop func(context.Context) error, err error) {
	dsn, drop, err = postmaster.Clone(ctx, p.server.DSN("postgres"), p.template)
	if err != nil {
		return "", nil, err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err == nil {
		_, err = conn.PgConn().Exec(ctx, statements).ReadAll()
		err = errors.Join(err, conn.Close(ctx))
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("make the tables: %w", err), drop(ctx))
	}
	return dsn, drop, nil
}

func (p *place) close() error {
	var err error
	if p.server != nil {
		err = p.server.Stop(context.Background())
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

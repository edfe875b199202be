package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/tutti-realtime/tutti/internal/app"
)

type migrateCommand struct {
	DB      app.Control `embed:"" prefix:"db-"`
	AppName string      `help:"Name by which PostgreSQL shows the connection." env:"APP_NAME" default:"tutti"`
	JSON    bool        `help:"Print JSON."`
}

// Run brings the tables of the control database up to date.
func (m *migrateCommand) Run(ctx context.Context) error {
	if m.DB.Host == "" {
		return errors.New("say where the control database is, with --db-host or DB_HOST")
	}
	store, _, err := m.DB.Open(m.AppName, extensions())
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate the control database: %w", err)
	}
	if m.JSON {
		return printJSON(map[string]any{"migrated": true, "host": m.DB.Host, "database": m.DB.Name})
	}
	fmt.Printf("The control tables in the database %s on %s are as they should be.\n", m.DB.Name, m.DB.Host)
	return nil
}

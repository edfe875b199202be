package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

func TestADatabaseThatComesAndGoes(t *testing.T) {
	t.Parallel()
	p, config := behind(t, place(t))
	p.down()
	c := open(t, config, gcm)
	unavailable := func(when string) {
		t.Helper()
		start := time.Now()
		_, err := c.Find(t.Context(), "acme")
		if !errors.Is(err, tutti.ErrUnavailable) || errors.Is(err, tutti.ErrNoTenant) {
			t.Errorf("%s: Find says %v", when, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: it took %v to say so", when, took)
		}
		if err := c.Migrate(t.Context()); !errors.Is(err, tutti.ErrUnavailable) {
			t.Errorf("%s: Migrate says %v", when, err)
		}
		if _, err := c.Put(t.Context(), acme()); !errors.Is(err, tutti.ErrUnavailable) {
			t.Errorf("%s: Put says %v", when, err)
		}
	}
	unavailable("down from the beginning")
	p.up(t)
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	p.down()
	if _, err := c.Find(t.Context(), "acme"); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("on a connection that just ended: %v", err)
	}
	unavailable("down again")
	p.up(t)
	if _, err := c.Find(t.Context(), "acme"); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

func TestADatabaseThatSaysNothing(t *testing.T) {
	t.Parallel()
	p, config := behind(t, placeWithTables(t))
	config.Timeout = time.Second
	c := open(t, config, gcm)
	p.hush()
	for range 3 {
		start := time.Now()
		if _, err := c.Find(t.Context(), "acme"); !errors.Is(err, tutti.ErrUnavailable) {
			t.Error(err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	p.down()
	p.up(t)
	// A second is little for a busy machine; it may take more than one attempt.
	deadline, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := tutti.ErrUnavailable
	for errors.Is(err, tutti.ErrUnavailable) && deadline.Err() == nil {
		_, err = c.Find(deadline, "acme")
	}
	if !errors.Is(err, tutti.ErrNoTenant) {
		t.Error(err)
	}
}

func TestWhoeverGivesUpIsNotToldOfAnOutage(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Find(ctx, "acme"); !errors.Is(err, context.Canceled) || errors.Is(err, tutti.ErrUnavailable) {
		t.Error(err)
	}
}

func TestAPostgresThatCrashes(t *testing.T) {
	t.Parallel()
	server, _ := postmastertest.Server(t)
	config := ControlConfig{
		Host: "127.0.0.1", Port: uint16(server.Port()), Name: "postgres", User: "supabase_admin", Password: server.Password(),
	}
	c := open(t, config, gcm)
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	heard, _ := listen(t, c)
	next(t, heard, "all")
	if err := server.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Find(t.Context(), "acme"); !errors.Is(err, tutti.ErrUnavailable) {
		t.Error(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	next(t, heard, "all")
	if _, err := c.Find(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
}

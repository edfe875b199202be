// Package postmastertest gives the tests of other rooms real databases: one
// PostgreSQL for each test binary, and on it a fresh database for each test.
package postmastertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/postmaster"
)

// templateVariable is the environment variable by which a binary's tests learn
// where their PostgreSQL is: the address of the template database.
const templateVariable = "TUTTI_TEST_TEMPLATE"

// With returns the tests m, run while a PostgreSQL is there for them. Its
// template database is prepared by postmaster.Prepare and then by the steps,
// each of which is given its address. A room's TestMain is
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(postmastertest.With(m)) }
//
// and in the room's tests Database gives an address.
func With(m interface{ Run() int }, steps ...func(ctx context.Context, dsn string) error) *Tests {
	return &Tests{run: m.Run, steps: steps}
}

// Tests are the tests of a binary together with their PostgreSQL.
type Tests struct {
	run   func() int
	steps []func(ctx context.Context, dsn string) error
}

// Run starts PostgreSQL, runs the tests and stops it. It returns the exit code.
func (t *Tests) Run() int {
	ctx := context.Background()
	code, err := t.serve(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "a PostgreSQL for the tests:", err)
		return 1
	}
	return code
}

func (t *Tests) serve(ctx context.Context) (code int, err error) {
	starting, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	server, err := postmaster.Start(starting, postmaster.Config{})
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := server.Stop(ctx); err == nil {
			err = e
		}
	}()
	template, _, err := postmaster.Clone(starting, server.DSN("postgres"), "template0")
	if err != nil {
		return 0, err
	}
	if err := postmaster.Prepare(starting, template); err != nil {
		return 0, err
	}
	for _, step := range t.steps {
		if err := step(starting, template); err != nil {
			return 0, fmt.Errorf("prepare the template database: %w", err)
		}
	}
	if err := os.Setenv(templateVariable, template); err != nil {
		return 0, err
	}
	return t.run(), nil
}

// Database returns the address of a fresh database, for a superuser. It is
// dropped when the test ends, with everybody who is still connected. The test
// binary's TestMain must have used With.
func Database(t testing.TB) string {
	t.Helper()
	template, err := url.Parse(os.Getenv(templateVariable))
	if err != nil || template.Path == "" {
		t.Fatal("no PostgreSQL: the TestMain of this package must use postmastertest.With")
	}
	server := *template
	server.Path = "/postgres"
	dsn, drop, err := postmaster.Clone(t.Context(), server.String(), template.Path[1:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return dsn
}

// Server starts a PostgreSQL for this test alone, for tests that kill it, and
// returns it with the address of a prepared database.
func Server(t testing.TB) (*postmaster.Server, string) {
	t.Helper()
	server, err := postmaster.Start(t.Context(), postmaster.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	dsn := server.DSN("postgres")
	if err := postmaster.Prepare(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	return server, dsn
}

package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A database behind a network that is gone does not hold a stop up: pgx alone
// would wait for 15 s.
func TestAPoolIsClosedThoughItsDatabaseSaysNothing(t *testing.T) {
	t.Parallel()
	p, config := behind(t, placeWithTables(t))
	config.Timeout = time.Second
	c := open(t, config, gcm)
	if _, err := c.Find(t.Context(), "nobody"); !errors.Is(err, tutti.ErrNoTenant) {
		t.Fatal(err)
	}
	p.hush()
	if _, err := c.Find(t.Context(), "nobody"); !errors.Is(err, tutti.ErrUnavailable) {
		t.Fatal(err)
	}
	start := time.Now()
	c.Close()
	if took := time.Since(start); took > closeWithin+5*time.Second {
		t.Errorf("it took %v", took)
	}
}

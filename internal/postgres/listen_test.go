package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// soon is how long other processes may go without knowing of a change, and some
// time for a machine that has much else to do.
const soon = 10 * time.Second

// listen runs Listen until the test ends or stop is called, and returns what it
// hears: ids with spaces between them, or "all".
func listen(t *testing.T, c *Control) (heard <-chan string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	reports, done := make(chan string, 100), make(chan struct{})
	because := errors.New("the test is over")
	go func() {
		defer close(done)
		err := c.Listen(ctx, func(ids []string) {
			if ids == nil {
				reports <- "all"
			} else {
				reports <- strings.Join(ids, " ")
			}
		})
		if !errors.Is(err, because) && !errors.Is(err, context.Canceled) {
			t.Errorf("Listen returned %v", err)
		}
	}()
	stop = func() {
		cancel(because)
		<-done
	}
	t.Cleanup(stop)
	return reports, stop
}

// next waits for the next report, which must be want.
func next(t *testing.T, heard <-chan string, want string) {
	t.Helper()
	select {
	case got := <-heard:
		if got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	case <-time.After(soon):
		t.Fatalf("heard nothing, want %q", want)
	}
}

func TestChangesAreHeard(t *testing.T) {
	t.Parallel()
	writer := migrated(t)
	reader := open(t, writer.config, gcm) // as another process would
	heard, stop := listen(t, reader)
	next(t, heard, "all")
	for _, step := range []struct {
		what string
		do   func(ctx context.Context) error
		want string
	}{
		{"a creation", func(ctx context.Context) error { _, err := writer.Put(ctx, acme()); return err }, "acme"},
		{"a change", func(ctx context.Context) error { _, err := writer.Put(ctx, acme()); return err }, "acme"},
		{"a seed", func(ctx context.Context) error { return writer.Seed(ctx, acme()) }, "acme"},
		{"a deletion", func(ctx context.Context) error { _, err := writer.Delete(ctx, "acme"); return err }, "acme"},
		{"a deletion of nothing", func(ctx context.Context) error { _, err := writer.Delete(ctx, "nobody"); return err }, ""},
		{"a creation that fails", func(ctx context.Context) error {
			tenant := acme()
			tenant.ExternalID, tenant.JWTSecret = "refused", ""
			if _, err := writer.Put(ctx, tenant); err == nil {
				return errors.New("it was put")
			}
			return nil
		}, ""},
		{"the last", func(ctx context.Context) error { _, err := writer.Put(ctx, acme()); return err }, "acme"},
	} {
		start := time.Now()
		if err := step.do(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if step.want != "" {
			next(t, heard, step.want)
			t.Logf("%s was heard of after %v", step.what, time.Since(start))
		}
	}
	stop()
	if len(heard) > 0 {
		t.Errorf("heard %q in the end", <-heard)
	}
}

func TestChangesThatOthersMakeAreHeard(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	heard, _ := listen(t, c)
	next(t, heard, "all")
	const insert = `INSERT INTO tenants (id, external_id, jwt_secret, inserted_at, updated_at) VALUES (gen_random_uuid(), %s, 'x', now(), now())`
	for _, step := range []struct{ sql, want string }{
		{fmt.Sprintf(insert, `'one'`), "one"},
		{`UPDATE tenants SET max_events_per_second = 7 WHERE external_id = 'one'`, "one"},
		{`INSERT INTO extensions (id, type, settings, tenant_external_id, inserted_at, updated_at)
			VALUES (gen_random_uuid(), 'music', '{}', 'one', now(), now())`, "one"},
		{`UPDATE extensions SET settings = '{"a": 1}'`, "one"},
		{`DELETE FROM extensions`, "one"},
		{`UPDATE tenants SET external_id = 'two' WHERE external_id = 'one'`, "one two"},
		{fmt.Sprintf(insert, `'three'`) + `; UPDATE tenants SET suspend = true; DELETE FROM tenants WHERE external_id = 'two'`, "three two"},
		{`ALTER TABLE tenants DISABLE TRIGGER tutti_tell; DELETE FROM tenants; ALTER TABLE tenants ENABLE TRIGGER tutti_tell`, ""},
		{fmt.Sprintf(insert, `repeat('long ', 1599)`), strings.Repeat("long ", 1599)},
		{fmt.Sprintf(insert, `repeat('long ', 1600)`), "all"},
		{`TRUNCATE tenants CASCADE`, "all"},
		{fmt.Sprintf(insert, `'last'`), "last"},
	} {
		psql(t, c.config, "BEGIN; SET search_path TO _realtime; "+step.sql+"; COMMIT")
		if step.want != "" {
			next(t, heard, step.want)
		}
	}
}

func TestOurChangesAreHeardWithoutTriggers(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	psql(t, c.config, "DROP FUNCTION _realtime.tutti_tell_tenants CASCADE")
	heard, _ := listen(t, c)
	next(t, heard, "all")
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	next(t, heard, "acme")
	if err := c.Seed(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	next(t, heard, "acme")
	if _, err := c.Delete(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	next(t, heard, "acme")
}

func TestChangesThatComeTogetherAreToldTogether(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	heard, _ := listen(t, c)
	next(t, heard, "all")
	psql(t, c.config, `INSERT INTO _realtime.tenants (id, external_id, jwt_secret, inserted_at, updated_at)
		SELECT gen_random_uuid(), 'tenant-' || n, 'x', now(), now() FROM generate_series(1, 1000) n`)
	all := map[string]bool{}
	reports := 0
	for len(all) < 1000 {
		select {
		case ids := <-heard:
			reports++
			for id := range strings.FieldsSeq(ids) {
				all[id] = true
			}
		case <-time.After(soon):
			t.Fatalf("heard of %d tenants", len(all))
		}
	}
	if reports > 100 {
		t.Errorf("1000 changes were told in %d reports", reports)
	}
}

func TestAListenerThatIsCutOffConnectsAgain(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	heard, _ := listen(t, c)
	next(t, heard, "all")
	for range 3 {
		psql(t, c.config, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'tutti_test' AND query LIKE 'LISTEN%'`)
		next(t, heard, "all")
		psql(t, c.config, `INSERT INTO _realtime.tenants (id, external_id, jwt_secret, inserted_at, updated_at)
			VALUES (gen_random_uuid(), 'acme', 'x', now(), now()) ON CONFLICT (external_id) DO UPDATE SET jwt_secret = 'y'`)
		next(t, heard, "acme")
	}
}

func TestAListenerThatFindsNobodyKeepsTrying(t *testing.T) {
	t.Parallel()
	p, config := behind(t, migrated(t).config)
	p.down()
	c := open(t, config, gcm)
	heard, stop := listen(t, c)
	if _, err := c.Find(t.Context(), "acme"); !errors.Is(err, tutti.ErrUnavailable) {
		t.Error(err)
	}
	p.up(t)
	next(t, heard, "all")
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	next(t, heard, "acme")
	p.down()
	stop() // while it tries
}

func TestAListenerNoticesSilence(t *testing.T) {
	t.Parallel()
	place := migrated(t).config
	p, config := behind(t, place)
	config.Timeout = time.Second
	c := open(t, config, gcm)
	c.silence = 50 * time.Millisecond
	heard, _ := listen(t, c)
	next(t, heard, "all")
	psql(t, place, `INSERT INTO _realtime.tenants (id, external_id, jwt_secret, inserted_at, updated_at)
		VALUES (gen_random_uuid(), 'acme', 'x', now(), now())`)
	next(t, heard, "acme")
	p.hush()
	psql(t, place, `DELETE FROM _realtime.tenants`)
	select {
	case <-p.left:
	case <-time.After(soon):
		t.Fatal("it does not hang up")
	}
	p.down()
	p.up(t)
	next(t, heard, "all")
}

func TestStopWhileListening(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	for range 20 {
		heard, stop := listen(t, c)
		next(t, heard, "all")
		stop()
		_, stop = listen(t, c)
		stop()
	}
}

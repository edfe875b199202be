package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/secret"
)

// anyTenant draws tenants whose texts have no NUL, which no database keeps, and
// whose JSON is as PostgreSQL would write it.
func anyTenant(r *rapid.T) *tutti.Tenant {
	text := rapid.StringMatching(`[a-z "\\'%$é日\n]{0,12}`)
	limit := rapid.IntRange(0, 1<<31-1)
	moment := rapid.Custom(func(r *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(r, "seconds"), 0).UTC()
	})
	t := &tutti.Tenant{
		ExternalID: rapid.SampledFrom([]string{"a", "b", "it's", "日本"}).Draw(r, "id"),
		Name:       text.Draw(r, "name"), JWTSecret: rapid.StringN(1, 40, -1).Draw(r, "secret"),
		MaxConcurrentUsers: limit.Draw(r, "users"), MaxEventsPerSecond: limit.Draw(r, "events"),
		MaxJoinsPerSecond: limit.Draw(r, "joins"), MaxChannelsPerClient: limit.Draw(r, "channels"),
		MaxBytesPerSecond: limit.Draw(r, "bytes"), MaxPresenceEventsPerSecond: limit.Draw(r, "presence"),
		MaxPayloadSizeKB: limit.Draw(r, "payload"), ClientPresenceMaxCalls: limit.Draw(r, "calls"),
		ClientPresenceWindow: time.Duration(limit.Draw(r, "window")) * time.Millisecond,
		PresenceEnabled:      rapid.Bool().Draw(r, "presence_enabled"), PrivateOnly: rapid.Bool().Draw(r, "private"),
		Suspend: rapid.Bool().Draw(r, "suspend"), PostgresCDCDefault: text.Draw(r, "cdc"),
		BroadcastAdapter: text.Draw(r, "adapter"),
		InsertedAt:       moment.Draw(r, "inserted"), UpdatedAt: moment.Draw(r, "updated"),
	}
	if rapid.Bool().Draw(r, "keys") {
		t.JWTJWKS = json.RawMessage(`{"keys": [{"k": "é", "kty": "oct"}]}`)
		if rapid.Bool().Draw(r, "only") {
			t.JWTSecret = ""
		}
	}
	if flags := rapid.MapOf(text, rapid.Bool()).Draw(r, "flags"); len(flags) > 0 {
		t.FeatureFlags = flags
	}
	setting := rapid.OneOf(text.AsAny(), rapid.Float64().AsAny(), rapid.Bool().AsAny(), rapid.Just(any(nil)),
		rapid.Just(any(map[string]any{"deep": []any{1.0, "x"}})))
	types := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{databaseExtension, "music", "other"}), 0, 3, rapid.ID[string])
	for _, kind := range types.Draw(r, "types") {
		settings := rapid.MapOf(text, setting).Draw(r, "settings")
		for _, name := range sealedSettings {
			settings[name] = rapid.OneOf(rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\x00") }).AsAny(), setting).Draw(r, name)
		}
		t.Extensions = append(t.Extensions, tutti.TenantExtension{
			Type: kind, Settings: settings,
			InsertedAt: moment.Draw(r, "extension inserted"), UpdatedAt: moment.Draw(r, "extension updated"),
		})
	}
	slices.SortFunc(t.Extensions, func(a, b tutti.TenantExtension) int { return strings.Compare(a.Type, b.Type) })
	return t
}

func TestATenantComesBackAsItWasPut(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]secret.Config{
		"sealed with AES-GCM":       gcm,
		"sealed in the legacy form": {Key: key16},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, placeWithTables(t), keys)
			known := map[string]*tutti.Tenant{}
			rapid.Check(t, func(r *rapid.T) { putAndFind(r, c, known) })
		})
	}
}

// putAndFind puts any tenant, which may be there already, and looks at it.
func putAndFind(r *rapid.T, c *Control, known map[string]*tutti.Tenant) {
	want := anyTenant(r)
	given := *want
	created, err := c.Put(r.Context(), want)
	if err != nil {
		r.Fatal(err)
	}
	if !reflect.DeepEqual(given, *want) {
		r.Fatalf("Put changed its argument to %+v", want)
	}
	got, err := c.Find(r.Context(), want.ExternalID)
	if err != nil {
		r.Fatal(err)
	}
	before := known[want.ExternalID]
	if created != (before == nil) {
		r.Fatalf("created is %v", created)
	}
	if len(got.ID) != 36 || before != nil && got.ID != before.ID {
		r.Fatalf("id is %q", got.ID)
	}
	want.ID = got.ID
	if before != nil {
		want.InsertedAt = before.InsertedAt
		for i, e := range want.Extensions {
			for _, old := range before.Extensions {
				if old.Type == e.Type {
					want.Extensions[i].InsertedAt = old.InsertedAt
				}
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		r.Fatalf("got  %+v\nwant %+v", got, want)
	}
	known[want.ExternalID] = got
}

func TestTimesAreMadeUp(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	before := time.Now().UTC().Truncate(time.Second)
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	got, err := c.Find(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	e := got.Extensions[0]
	for _, at := range []time.Time{got.InsertedAt, got.UpdatedAt, e.InsertedAt, e.UpdatedAt} {
		if at.Location() != time.UTC || at.Nanosecond() != 0 || at.Before(before) || at.After(time.Now()) {
			t.Errorf("%v is not between %v and now", at, before)
		}
	}
}

func TestSecretsLieSealed(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	const all = `SELECT (SELECT jwt_secret FROM _realtime.tenants) || ' ' || (SELECT string_agg(settings ->> n, ' ') FROM _realtime.extensions,
		unnest(ARRAY['db_host', 'db_port', 'db_name', 'db_user', 'db_password']) n)`
	for text := range strings.SplitSeq(value[string](t, c.config, all), " ") {
		if !strings.HasPrefix(text, "g1:") {
			t.Errorf("%s is not sealed", text)
		}
	}
	if region := value[string](t, c.config, `SELECT settings ->> 'region' FROM _realtime.extensions`); region != "us-east-1" {
		t.Errorf("the region is %s", region)
	}
}

func TestWhatCannotBePut(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	for name, tt := range map[string]struct {
		change func(*tutti.Tenant)
		is     error
		says   string
	}{
		"no secret and no keys":  {func(t *tutti.Tenant) { t.JWTSecret = "" }, ErrNoSecret, "put tenant acme: either jwt_secret or jwt_jwks must be provided"},
		"keys that are null":     {func(t *tutti.Tenant) { t.JWTSecret, t.JWTJWKS = "", json.RawMessage(" null ") }, ErrNoSecret, ""},
		"a limit too large":      {func(t *tutti.Tenant) { t.MaxEventsPerSecond = 1 << 31 }, nil, "2147483648"},
		"keys that are no JSON":  {func(t *tutti.Tenant) { t.JWTJWKS = json.RawMessage("{") }, nil, "json"},
		"a setting without JSON": {func(t *tutti.Tenant) { t.Extensions[0].Settings["f"] = func() {} }, nil, "extension postgres_cdc_rls"},
		"a NUL":                  {func(t *tutti.Tenant) { t.Name = "\x00" }, nil, "0x00"},
		"a NUL in a setting, after the tenant itself": {func(t *tutti.Tenant) { t.Extensions[0].Settings["n"] = "\x00" }, nil, "extension postgres_cdc_rls"},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := acme()
			tt.change(tenant)
			_, err := c.Put(t.Context(), tenant)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
			if errors.Is(err, tutti.ErrUnavailable) {
				t.Errorf("%v: the database was there", err)
			}
			if _, err := c.Find(t.Context(), "acme"); !errors.Is(err, tutti.ErrNoTenant) {
				t.Errorf("something was put: %v", err)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	if _, err := c.Put(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if existed, err := c.Delete(t.Context(), "acme"); err != nil || existed != want {
			t.Errorf("existed is %v, %v", existed, err)
		}
	}
	if _, err := c.Find(t.Context(), "acme"); !errors.Is(err, tutti.ErrNoTenant) {
		t.Error(err)
	}
	if n := value[int](t, c.config, "SELECT count(*) FROM _realtime.extensions"); n != 0 {
		t.Errorf("%d extensions are left", n)
	}
}

func TestSeedLeavesNothingOfWhatWasThere(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	old := acme()
	old.ID = "00000000-0000-4000-8000-000000000001"
	old.InsertedAt = time.Unix(0, 0)
	old.Extensions = append(old.Extensions, tutti.TenantExtension{Type: "music"})
	if _, err := c.Put(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	psql(t, c.config, "UPDATE _realtime.tenants SET migrations_ran = 81")
	if err := c.Seed(t.Context(), acme()); err != nil {
		t.Fatal(err)
	}
	got, err := c.Find(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if got.ID == old.ID || got.InsertedAt.Unix() == 0 || len(got.Extensions) != 1 {
		t.Errorf("%+v", got)
	}
	if n := value[int](t, c.config, "SELECT migrations_ran FROM _realtime.tenants"); n != 0 {
		t.Errorf("%d migrations ran", n)
	}
}

func TestNodesThatSeedAtOnce(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	var nodes sync.WaitGroup
	for range 8 {
		nodes.Go(func() {
			if err := c.Seed(t.Context(), acme()); err != nil {
				t.Error(err)
			}
			if _, err := c.Find(t.Context(), "acme"); err != nil {
				t.Errorf("while others seed: %v", err)
			}
		})
	}
	nodes.Wait()
}

func TestWritersOfOneTenantWaitForEachOther(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	c.config.Timeout = time.Minute // the machine may be busy
	old := open(t, c.config, secret.Config{Key: key16, KeyGCM: key32})
	var writers sync.WaitGroup
	for name, write := range map[string]func() error{
		"Put":            func() error { _, err := c.Put(t.Context(), acme()); return err },
		"Put, of legacy": func() error { _, err := old.Put(t.Context(), acme()); return err },
		"Seed":           func() error { return old.Seed(t.Context(), acme()) },
		"Delete":         func() error { _, err := c.Delete(t.Context(), "acme"); return err },
		"Reseal":         func() error { _, err := c.Reseal(t.Context(), "acme"); return err },
		"Find":           func() error { _, err := c.Find(t.Context(), "acme"); return err },
	} {
		writers.Go(func() {
			for range 40 {
				if err := write(); err != nil && !errors.Is(err, tutti.ErrNoTenant) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	writers.Wait()
}

func TestList(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	for i, id := range []string{"b", "B", "ä", "a_c", "a%", "abc"} {
		tenant := acme()
		tenant.ExternalID, tenant.Name, tenant.Suspend = id, fmt.Sprint("Name ", i), i%2 == 0
		if _, err := c.Put(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	yes, no := true, false
	for name, tt := range map[string]struct {
		query tutti.TenantQuery
		ids   []string
		next  string
	}{
		"all, by their bytes":       {tutti.TenantQuery{}, []string{"B", "a%", "a_c", "abc", "b", "ä"}, ""},
		"the first page":            {tutti.TenantQuery{Limit: 2}, []string{"B", "a%"}, "a%"},
		"a page in the middle":      {tutti.TenantQuery{Limit: 2, After: "a%"}, []string{"a_c", "abc"}, "abc"},
		"a last page that is full":  {tutti.TenantQuery{Limit: 2, After: "abc"}, []string{"b", "ä"}, ""},
		"beyond the last":           {tutti.TenantQuery{Limit: 2, After: "ä"}, nil, ""},
		"part of an id in any case": {tutti.TenantQuery{Search: "B"}, []string{"B", "abc", "b"}, ""},
		"no letter is a pattern":    {tutti.TenantQuery{Search: "%"}, []string{"a%"}, ""},
		"part of a name":            {tutti.TenantQuery{Search: "name 3"}, []string{"a_c"}, ""},
		"the suspended":             {tutti.TenantQuery{Suspended: &yes}, []string{"a%", "b", "ä"}, ""},
		"the others, by pages":      {tutti.TenantQuery{Suspended: &no, Limit: 1}, []string{"B"}, "B"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := c.List(t.Context(), tt.query)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, tenant := range p.Tenants {
				ids = append(ids, tenant.ExternalID)
			}
			if !slices.Equal(ids, tt.ids) || p.Next != tt.next {
				t.Errorf("got %q and %q, want %q and %q", ids, p.Next, tt.ids, tt.next)
			}
		})
	}
}

func TestASecretThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	good := acme()
	good.ExternalID = "good"
	for _, tenant := range []*tutti.Tenant{acme(), good} {
		if _, err := c.Put(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	psql(t, c.config, `UPDATE _realtime.extensions SET settings = settings || '{"db_name": "plain"}' WHERE tenant_external_id = 'acme'`)
	_, err := c.Find(t.Context(), "acme")
	if err == nil || errors.Is(err, tutti.ErrNoTenant) || !strings.Contains(err.Error(), "tenant acme: db_name of extension postgres_cdc_rls") {
		t.Error(err)
	}
	if p, err := c.List(t.Context(), tutti.TenantQuery{}); err != nil || len(p.Tenants) != 1 || p.Tenants[0].ExternalID != "good" {
		t.Errorf("listed %v, %v", p.Tenants, err)
	}
}

func TestRowsWithHoles(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	psql(t, c.config, `SET search_path TO _realtime;
		INSERT INTO tenants (id, external_id, jwt_jwks, jwt_secret, postgres_cdc_default, max_presence_events_per_second, max_payload_size_in_kb,
		  suspend, broadcast_adapter, client_presence_window_ms, feature_flags, inserted_at, updated_at)
		VALUES (gen_random_uuid(), 'holes', 'null', NULL, NULL, NULL, NULL, NULL, NULL, -1, '{"on": true, "odd": 1}', now(), now());
		INSERT INTO extensions (id, type, settings, tenant_external_id, inserted_at, updated_at)
		VALUES (gen_random_uuid(), NULL, NULL, 'holes', now(), now());
		INSERT INTO tenants (id, external_id, jwt_jwks, inserted_at, updated_at) VALUES (gen_random_uuid(), NULL, '{}', now(), now())`)
	got, err := c.Find(t.Context(), "holes")
	if err != nil {
		t.Fatal(err)
	}
	if got.JWTJWKS != nil || got.MaxPayloadSizeKB != 3000 || got.MaxPresenceEventsPerSecond != 1000 || got.ClientPresenceWindow != 0 ||
		got.PostgresCDCDefault != "postgres_cdc_rls" || !reflect.DeepEqual(got.FeatureFlags, map[string]bool{"on": true}) {
		t.Errorf("%+v", got)
	}
	if p, err := c.List(t.Context(), tutti.TenantQuery{}); err != nil || len(p.Tenants) != 1 {
		t.Errorf("listed %d, %v", len(p.Tenants), err)
	}
	got.JWTSecret, got.Extensions = "secret", nil
	if _, err := c.Put(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if got, err = c.Find(t.Context(), "holes"); err != nil || got.Extensions != nil {
		t.Errorf("%+v, %v", got.Extensions, err)
	}
}

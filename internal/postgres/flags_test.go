package postgres

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/secret"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	c := referenceWith(t, secret.Config{Key: key16})
	want := Flags{
		"gcm_encryption_backfill": {Name: "gcm_encryption_backfill", Enabled: true, Rollout: 100},
		"track_fanout_metric":     {Name: "track_fanout_metric", Enabled: true, Rollout: 30, BucketKey: "fanout"},
	}
	if got, err := c.Flags(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	psql(t, c.config, "DELETE FROM _realtime.feature_flags")
	if got, err := c.Flags(t.Context()); err != nil || len(got) != 0 || got.On("any", acme()) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAFlagIsOn(t *testing.T) {
	t.Parallel()
	flags := Flags{
		"all":  {Name: "all", Enabled: true, Rollout: 100},
		"none": {Name: "none", Enabled: true},
		"off":  {Name: "off", Rollout: 100},
	}
	for name, tt := range map[string]struct {
		flag string
		own  map[string]bool
		want bool
	}{
		"that does not exist, even if the tenant says so": {"unknown", map[string]bool{"unknown": true}, false},
		"that is enabled for all":                         {"all", nil, true},
		"that is enabled for nobody":                      {"none", nil, false},
		"that is not enabled":                             {"off", nil, false},
		"that the tenant has for itself":                  {"off", map[string]bool{"off": true}, true},
		"that the tenant does not want":                   {"all", map[string]bool{"all": false}, false},
		"while the tenant speaks of another":              {"all", map[string]bool{"off": false}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := flags.On(tt.flag, &tutti.Tenant{ExternalID: "acme", FeatureFlags: tt.own}); got != tt.want {
				t.Errorf("it is %v", got)
			}
		})
	}
}

func TestAShareOfTheTenants(t *testing.T) {
	t.Parallel()
	narrow := Flag{Name: "narrow", Enabled: true, Rollout: 20, BucketKey: "key"}
	wide := Flag{Name: "wide", Enabled: true, Rollout: 40, BucketKey: "key"}
	flags := Flags{"narrow": narrow, "wide": wide}
	var few, more int
	for i := range 10_000 {
		tenant := &tutti.Tenant{ExternalID: fmt.Sprint("tenant-", i)}
		if flags.On("narrow", tenant) {
			few++
			if !flags.On("wide", tenant) {
				t.Fatalf("%s is in the smaller share of a key, but not in the larger", tenant.ExternalID)
			}
		}
		if flags.On("wide", tenant) {
			more++
		}
	}
	if few < 1800 || few > 2200 || more < 3700 || more > 4300 {
		t.Errorf("of 10000 tenants %d and %d have it, want some 2000 and 4000", few, more)
	}
}

package tenant

import (
	"maps"
	"reflect"
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestCompleteExtension(t *testing.T) {
	complete := map[string]any{
		"region": "us-east-1", "publication": "supabase_realtime", "slot_name": "supabase_realtime_replication_slot",
		"poll_interval_ms": 100.0, "poll_max_changes": 100.0, "poll_max_record_bytes": 1048576.0,
	}
	with := func(name string, v any) map[string]any {
		m := maps.Clone(complete)
		m[name] = v
		return m
	}
	for name, tt := range map[string]struct{ in, want tutti.TenantExtension }{
		"the short name of a database": {
			tutti.TenantExtension{Type: "postgres"},
			tutti.TenantExtension{Type: "postgres_cdc_rls", Settings: complete},
		},
		"settings win over what they would be": {
			tutti.TenantExtension{Type: "postgres_cdc_rls", Settings: map[string]any{"publication": "mine"}},
			tutti.TenantExtension{Type: "postgres_cdc_rls", Settings: with("publication", "mine")},
		},
		"the pool size of the API wins over the stored one": {
			tutti.TenantExtension{Type: "postgres", Settings: map[string]any{"postgres_changes_pool": 9.0, "subcriber_pool_size": 5.0}},
			tutti.TenantExtension{Type: "postgres_cdc_rls", Settings: with("subcriber_pool_size", 9.0)},
		},
		"other extensions stay as they are": {
			tutti.TenantExtension{Type: "music", Settings: map[string]any{"bpm": 96.0}},
			tutti.TenantExtension{Type: "music", Settings: map[string]any{"bpm": 96.0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := maps.Clone(tt.in.Settings)
			if got := CompleteExtension(tt.in); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
			if !reflect.DeepEqual(tt.in.Settings, given) {
				t.Error("the settings that were given are changed")
			}
		})
	}
}

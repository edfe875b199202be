package tenant

import (
	"maps"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

func TestDatabase(t *testing.T) {
	least := func(more map[string]any) map[string]any {
		settings := map[string]any{"db_host": "db", "db_port": "6543", "db_name": "n", "db_user": "u", "db_password": "p"}
		maps.Copy(settings, more)
		return CompleteExtension(tutti.TenantExtension{Type: DatabaseExtension, Settings: settings}).Settings
	}
	standard := tutti.Database{
		Host: "db", Port: 6543, Name: "n", User: "u", Password: "p", SSL: true, Pool: 1,
		Publication: "supabase_realtime", Slot: "supabase_realtime_replication_slot", MaxChange: 1 << 20,
		ReplayLimit: 25, Retention: 72 * time.Hour,
	}
	with := func(change func(*tutti.Database)) tutti.Database {
		d := standard
		change(&d)
		return d
	}
	for name, tt := range map[string]struct {
		settings map[string]any
		want     tutti.Database
		fault    string
	}{
		"what is not said has its standard value": {settings: least(nil), want: standard},
		"numbers may be text, and text numbers": {
			settings: least(map[string]any{"db_port": 5433.0, "db_pool": "4", "db_password": 12.0}),
			want:     with(func(d *tutti.Database) { d.Port, d.Pool, d.Password = 5433, 4, "12" }),
		},
		"booleans may be text": {
			settings: least(map[string]any{"ssl_enforced": "false", "slot_temporary": true}),
			want:     with(func(d *tutti.Database) { d.SSL, d.Temporary = false, true }),
		},
		"our own settings": {
			settings: least(map[string]any{"replay_limit": 100.0, "retention_hours": 24.0, "recheck_seconds": 5.0}),
			want: with(func(d *tutti.Database) {
				d.ReplayLimit, d.Retention, d.Recheck = 100, 24*time.Hour, 5*time.Second
			}),
		},
		"a port that is none": {
			settings: least(map[string]any{"db_port": "70000"}), fault: "setting db_port must be a whole number from 1 to 65535",
		},
		"half a connection": {
			settings: least(map[string]any{"db_pool": 1.5}), fault: "setting db_pool must be a whole number from 1 to 1000",
		},
		"an odd boolean": {
			settings: least(map[string]any{"ssl_enforced": "perhaps"}), fault: "setting ssl_enforced must be true or false",
		},
		"a list for a name": {
			settings: least(map[string]any{"publication": []any{"a"}}), fault: "setting publication must be text",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, found, err := Database(&tutti.Tenant{Extensions: []tutti.TenantExtension{
				{Type: "music"}, {Type: DatabaseExtension, Settings: tt.settings},
			}})
			switch {
			case !found:
				t.Error("not found")
			case tt.fault != "":
				if err == nil || err.Error() != tt.fault {
					t.Errorf("got %v, want %s", err, tt.fault)
				}
			case err != nil || got != tt.want:
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestATenantWithoutADatabase(t *testing.T) {
	if _, found, err := Database(&tutti.Tenant{}); found || err != nil {
		t.Errorf("found %v, err %v", found, err)
	}
}

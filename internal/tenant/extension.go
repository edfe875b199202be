package tenant

import (
	"maps"

	"github.com/tutti-realtime/tutti"
)

// DatabaseExtension is the type of the extension that holds the settings of a
// tenant's database.
const DatabaseExtension = "postgres_cdc_rls"

// databaseSettings must stand in a DatabaseExtension, each as text.
var databaseSettings = [...]string{"db_host", "db_port", "db_name", "db_user", "db_password"}

// CompleteExtension returns an extension as the server stores it (protocol.md
// §9.2): "postgres" is DatabaseExtension, whose missing settings get the values
// that clients of the tenants API expect to see. Settings are of the kinds that
// encoding/json makes: a number is a float64.
func CompleteExtension(e tutti.TenantExtension) tutti.TenantExtension {
	if e.Type == "postgres" {
		e.Type = DatabaseExtension
	}
	if e.Type != DatabaseExtension {
		return e
	}
	settings := map[string]any{
		"region":                "us-east-1", // what a self-hosted tenant gets
		"poll_interval_ms":      100.0,
		"poll_max_changes":      100.0,
		"poll_max_record_bytes": 1048576.0,
		"publication":           "supabase_realtime",
		"slot_name":             "supabase_realtime_replication_slot",
	}
	maps.Copy(settings, e.Settings)
	// The stored name has had this spelling from the beginning.
	if size, ok := settings["postgres_changes_pool"]; ok {
		settings["subcriber_pool_size"] = size
		delete(settings, "postgres_changes_pool")
	}
	e.Settings = settings
	return e
}

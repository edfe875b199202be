package tenant

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti"
)

// Database returns what the settings of a tenant say about its database, false
// when it has none. What they do not say has the reference's value (database.md
// §1.2). The error names the first setting that makes no sense.
func Database(t *tutti.Tenant) (d tutti.Database, found bool, err error) {
	for _, e := range t.Extensions {
		if e.Type == DatabaseExtension {
			d, err = readDatabase(e.Settings)
			return d, true, err
		}
	}
	return d, false, nil
}

func readDatabase(settings map[string]any) (tutti.Database, error) {
	r := settingReader{settings: settings}
	d := tutti.Database{
		Host: r.text("db_host", ""), Name: r.text("db_name", ""),
		User: r.text("db_user", ""), Password: r.text("db_password", ""),
		Port: uint16(r.number("db_port", 5432, 1, math.MaxUint16)),
		SSL:  r.yes("ssl_enforced", true), CA: r.text("ssl_ca_cert", ""),
		Pool:        r.number("db_pool", 1, 1, 1000),
		Publication: r.text("publication", "supabase_realtime"),
		Slot:        r.text("slot_name", "supabase_realtime_replication_slot"),
		Temporary:   r.yes("slot_temporary", false),
		MaxChange:   r.number("poll_max_record_bytes", 1<<20, 1, math.MaxInt32),
		ReplayLimit: r.number("replay_limit", 25, 1, 10_000),
		Retention:   time.Duration(r.number("retention_hours", 72, 1, 24*366)) * time.Hour,
		Recheck:     time.Duration(r.number("recheck_seconds", 0, 0, 24*3600)) * time.Second,
	}
	return d, r.err
}

// A settingReader reads settings of the kinds that encoding/json makes; text is
// taken for a number or a boolean too, as the reference stores some.
type settingReader struct {
	settings map[string]any
	err      error // the first
}

func (r *settingReader) fail(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("setting %s must be %s", name, want)
	}
}

func (r *settingReader) text(name, standard string) string {
	switch v := r.settings[name].(type) {
	case nil:
		return standard
	case string:
		if v == "" {
			return standard
		}
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	r.fail(name, "text")
	return standard
}

func (r *settingReader) number(name string, standard, least, most int) int {
	var n float64
	switch v := r.settings[name].(type) {
	case nil:
		return standard
	case float64:
		n = v
	case string:
		parsed, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			n = math.NaN()
		} else {
			n = float64(parsed)
		}
	default:
		n = math.NaN()
	}
	if !(n >= float64(least) && n <= float64(most)) || n != math.Trunc(n) {
		r.fail(name, fmt.Sprintf("a whole number from %d to %d", least, most))
		return standard
	}
	return int(n)
}

func (r *settingReader) yes(name string, standard bool) bool {
	switch v := r.settings[name].(type) {
	case nil:
		return standard
	case bool:
		return v
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b
		}
	}
	r.fail(name, "true or false")
	return standard
}

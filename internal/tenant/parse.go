package tenant

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/tutti-realtime/tutti"
)

// parse reads a tenants file:
//
//	tenants:
//	  - external_id: acme              # clients connect to acme.example.com
//	    jwt_secret: env:ACME_SECRET    # or the secret itself, and/or jwt_jwks
//	    max_concurrent_users: 500      # limits that are missing take the defaults
//	    extensions:
//	      - type: postgres_cdc_rls
//	        settings: {db_host: db, db_port: 5432, db_name: postgres, db_user: tutti, db_password: env:DB_PASSWORD}
//
// The fields of a tenant are those of the tenants API (protocol.md §9.2). An
// unknown one is a fault, so that a misspelt limit is not silently the default.
// Secrets and settings may be "env:NAME", the value of a variable. Anchors,
// aliases and merges work; fields at the top that begin with "x-" are a place
// for them. With an error, which names all faults, there are no tenants.
func parse(raw []byte, path string, getenv func(string) string, defaults Defaults) ([]*tutti.Tenant, error) {
	r := &reader{path: path, getenv: getenv}
	tenants, _, err := r.parse(raw, defaults)
	return tenants, err
}

// parse returns the tenants of a file in their order, and its one mapping.
func (r *reader) parse(raw []byte, defaults Defaults) ([]*tutti.Tenant, value, error) {
	top, ok := r.open(raw)
	if !ok {
		return nil, top, r.err()
	}
	if top.node == nil {
		top.node = ast.Mapping(nil, false) // an empty file is missing its tenants, no more
	}
	var tenants []*tutti.Tenant
	lines := make(map[string]int)
	given := top.mapping(fields{
		"tenants": func(v value) {
			v.list(func(v value) {
				tenants = append(tenants, v.tenant(defaults, lines))
			})
		},
	})
	if given != nil && !given["tenants"] {
		top.in("tenants").fault(`is required; a server without tenants says "tenants: []"`)
	}
	if err := r.err(); err != nil {
		return nil, top, err
	}
	return tenants, top, nil
}

// tenant reads one tenant. The lines say where each id was first seen.
func (v value) tenant(defaults Defaults, lines map[string]int) *tutti.Tenant {
	t := defaults.Tenant("")
	given := v.mapping(fields{
		"external_id": func(v value) { t.ExternalID = v.externalID(lines) },
		"name":        text(&t.Name),
		"jwt_secret":  secret(&t.JWTSecret),
		"jwt_jwks":    func(v value) { t.JWTJWKS = v.keySet() },

		"max_concurrent_users":           count(&t.MaxConcurrentUsers),
		"max_events_per_second":          count(&t.MaxEventsPerSecond),
		"max_joins_per_second":           count(&t.MaxJoinsPerSecond),
		"max_channels_per_client":        count(&t.MaxChannelsPerClient),
		"max_bytes_per_second":           count(&t.MaxBytesPerSecond),
		"max_presence_events_per_second": count(&t.MaxPresenceEventsPerSecond),
		"max_payload_size_in_kb":         count(&t.MaxPayloadSizeKB),

		"max_client_presence_events_per_window": count(&t.ClientPresenceMaxCalls),
		"client_presence_window_ms":             milliseconds(&t.ClientPresenceWindow),

		"presence_enabled": truth(&t.PresenceEnabled),
		"private_only":     truth(&t.PrivateOnly),
		"suspend":          truth(&t.Suspend),

		"postgres_cdc_default": text(&t.PostgresCDCDefault),
		"broadcast_adapter":    text(&t.BroadcastAdapter),
		"feature_flags":        func(v value) { t.FeatureFlags = v.flags() },
		"extensions":           func(v value) { t.Extensions = v.extensions() },
		"inserted_at":          moment(&t.InsertedAt),
		"updated_at":           moment(&t.UpdatedAt),
	})
	if given == nil {
		return t // not a mapping, which is fault enough
	}
	if !given["external_id"] {
		v.in("external_id").fault("is required")
	}
	if !given["jwt_secret"] && !given["jwt_jwks"] {
		v.in("jwt_secret").fault("either jwt_secret or jwt_jwks is required")
	}
	if !given["name"] {
		t.Name = t.ExternalID
	}
	return t
}

// externalID reads the id by which the host name of a request finds a tenant.
func (v value) externalID(lines map[string]int) string {
	id, ok := v.text()
	if !ok {
		return ""
	}
	line, _ := v.position()
	switch {
	case len(id) > longestID:
		v.fault("must be no longer than %d bytes, got %d", longestID, len(id))
	case !isLabel(id):
		v.fault(mustBeLabel+", got %s", v.describe())
	case lines[id] != 0:
		v.fault("%q is already the tenant in line %d", id, lines[id])
	default:
		lines[id] = line
	}
	return id
}

const mustBeLabel = "must be the first label of a host name, of lower-case letters, digits, - and _"

// isLabel reports whether an id can be found in a host name.
func isLabel(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// extensions reads the extensions of a tenant, one of each type.
func (v value) extensions() []tutti.TenantExtension {
	var all []tutti.TenantExtension
	v.list(func(v value) {
		e := v.extension()
		if e.Type != "" && slices.ContainsFunc(all, func(x tutti.TenantExtension) bool { return x.Type == e.Type }) {
			v.in("type").fault("there is already an extension %q", e.Type)
		}
		all = append(all, e)
	})
	return all
}

func (v value) extension() tutti.TenantExtension {
	var e tutti.TenantExtension
	settings := v.in("settings")
	given := v.mapping(fields{
		"type":        text(&e.Type),
		"settings":    func(v value) { settings, e.Settings = v, v.settings() },
		"inserted_at": moment(&e.InsertedAt),
		"updated_at":  moment(&e.UpdatedAt),
	})
	if given != nil && !given["type"] {
		v.in("type").fault("is required")
	}
	missing := !given["settings"] || e.Settings != nil // otherwise that is fault enough
	e = CompleteExtension(e)
	if e.Type == DatabaseExtension && missing {
		for _, name := range databaseSettings {
			if _, ok := e.Settings[name]; !ok {
				settings.in(name).fault("is required")
			}
		}
	}
	return e
}

// count makes a number of 0 or more, as large as a control database can hold.
func count(to *int) func(value) {
	return func(v value) {
		n, err := strconv.ParseInt(v.digits(), 10, 64)
		switch {
		case err != nil || n < 0:
			v.fault("must be a whole number of 0 or more, got %s", v.describe())
		case n > math.MaxInt32:
			v.fault("must be at most %d, got %s", math.MaxInt32, v.describe())
		default:
			*to = int(n)
		}
	}
}

func milliseconds(to *time.Duration) func(value) {
	return func(v value) {
		var n int
		count(&n)(v)
		*to = time.Duration(n) * time.Millisecond
	}
}

func text(to *string) func(value) {
	return func(v value) { *to = v.filled(v.text()) }
}

func secret(to *string) func(value) {
	return func(v value) { *to = v.filled(v.secret()) }
}

func truth(to *bool) func(value) {
	return func(v value) {
		b, ok := v.node.(*ast.BoolNode)
		if !ok {
			v.fault("must be true or false, got %s", v.describe())
			return
		}
		*to = b.Value
	}
}

func moment(to *time.Time) func(value) {
	return func(v value) {
		s, ok := v.text()
		if !ok {
			return
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
			if at, err := time.Parse(layout, s); err == nil {
				*to = at.UTC()
				return
			}
		}
		v.fault(`must be a time such as "2026-01-31T12:00:00Z", got %s`, v.describe())
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A fieldKind says what a field takes.
type fieldKind string

const (
	aNumber fieldKind = "a whole number"
	aTruth  fieldKind = "true or false"
	aText   fieldKind = "text"
	aJSON   fieldKind = "JSON"
)

// tenantFields are the fields that can be set, in the order in which they are shown.
var tenantFields = [...]struct {
	name string
	kind fieldKind
}{
	{"name", aText}, {"jwt_secret", aText}, {"jwt_jwks", aJSON},
	{"max_concurrent_users", aNumber}, {"max_events_per_second", aNumber}, {"max_joins_per_second", aNumber},
	{"max_channels_per_client", aNumber}, {"max_bytes_per_second", aNumber}, {"max_presence_events_per_second", aNumber},
	{"max_payload_size_in_kb", aNumber},
	{"max_client_presence_events_per_window", aNumber}, {"client_presence_window_ms", aNumber},
	{"presence_enabled", aTruth}, {"private_only", aTruth}, {"suspend", aTruth},
	{"postgres_cdc_default", aText}, {"broadcast_adapter", aText}, {"feature_flags", aJSON}, {"extensions", aJSON},
}

func fieldNames() []string {
	var names []string
	for _, f := range tenantFields {
		names = append(names, f.name)
	}
	return names
}

// kindOf returns what a field takes, "" when there is no such field.
func kindOf(name string) fieldKind {
	for _, f := range tenantFields {
		if f.name == name {
			return f.kind
		}
	}
	return ""
}

// givenFields are fields with their values as JSON.
type givenFields map[string]json.RawMessage

// parseFields reads arguments such as max_events_per_second=500.
func parseFields(args []string) (givenFields, error) {
	fields := givenFields{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		kind := kindOf(name)
		switch {
		case !ok:
			return nil, wrongUsef("%q is no field with a value: write it as in max_events_per_second=500", arg)
		case kind == "":
			return nil, wrongUsef("there is no field %q, there are %s", name, strings.Join(fieldNames(), ", "))
		case value == "":
			return nil, wrongUsef("%s has no value: it takes %s, or null to be as if it had not been set", name, kind)
		case fields[name] != nil:
			return nil, wrongUsef("%s is given twice: give it once", name)
		}
		fields[name] = kind.encode(value)
	}
	return fields, nil
}

// encode writes a value as the JSON that its field takes. What is not of its kind
// goes as text, for those to refuse who know the field.
func (k fieldKind) encode(value string) json.RawMessage {
	isTruth := value == "true" || value == "false"
	switch {
	case value == "null",
		k == aTruth && isTruth,
		(k == aNumber || k == aJSON) && json.Valid([]byte(value)):
		return json.RawMessage(value)
	}
	return encodeJSON(value)
}

// encodeJSON writes text, and what consists of text and truth, as JSON.
func encodeJSON(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // there is nothing in it that has no JSON form
	}
	return text
}

// databaseExtension returns extensions with the database that a URL names. It
// never repeats the URL, which has a password in it.
func databaseExtension(text string) (json.RawMessage, error) {
	const form = "write it as postgres://user:password@host:5432/name"
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Opaque != "" {
		return nil, wrongUse("--db-url is no address of a database: " + form)
	}
	port := u.Port()
	if port == "" {
		port = "5432"
	}
	password, _ := u.User.Password()
	settings := map[string]any{
		"region": "us-east-1", "db_host": u.Hostname(), "db_port": port,
		"db_name": strings.TrimPrefix(u.Path, "/"), "db_user": u.User.Username(), "db_password": password,
	}
	for _, name := range slices.Sorted(maps.Keys(u.Query())) {
		switch mode := u.Query().Get(name); {
		case name != "sslmode":
			return nil, wrongUsef("--db-url has a parameter %q: it may have sslmode and no other", name)
		case mode == "disable":
			settings["ssl_enforced"] = false
		case mode == "require", mode == "verify-ca", mode == "verify-full":
			settings["ssl_enforced"] = true
		default:
			return nil, wrongUsef("--db-url has sslmode=%s: it may be disable, require, verify-ca or verify-full", mode)
		}
	}
	return encodeJSON([]any{map[string]any{"type": tenant.DatabaseExtension, "settings": settings}}), nil
}

// faultSentence says what is wrong with fields, and what they take.
func faultSentence(wrong tenant.Invalid) string {
	var tree any
	if json.Unmarshal(encodeJSON(wrong), &tree) != nil {
		return wrong.Error()
	}
	return "nothing was changed: " + strings.Join(faultsIn("", tree), "; ")
}

func faultsIn(field string, tree any) []string {
	var faults []string
	switch v := tree.(type) {
	case string:
		fault := strings.TrimSpace(field + " " + v)
		if kind := kindOf(field); kind != "" && strings.Contains(v, "invalid") {
			fault += fmt.Sprintf(" (it takes %s)", kind)
		}
		return []string{fault}
	case []any:
		for _, item := range v {
			faults = append(faults, faultsIn(field, item)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			faults = append(faults, faultsIn(strings.TrimSpace(field+" "+name), v[name])...)
		}
	}
	return faults
}

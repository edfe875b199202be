package changes

import (
	"strings"

	"github.com/tutti-realtime/tutti"
)

// Any is the schema or table that stands for all.
const Any = "*"

// A Subscription is what an entry asks for.
type Subscription struct {
	ID      uint32           // of its entry
	Event   tutti.ChangeKind // zero for all kinds
	Schema  string           // Any for all, else exactly this one
	Table   string           // Any for all, else exactly this one
	Filters []Filter         // a row must pass all of them
	Select  []string         // columns wanted besides the primary key, nil for all
}

// Texts of refusals, protocol section 3.11.
const (
	noParams = "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "

	badSelect = "Error parsing `select` params: expected a list of column name strings, e.g. select: [\"col1\", \"col2\"]"

	selectOfAny = "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name."
)

// Parse reads what an entry asks for. The error is a *tutti.Error without a
// code, whose text the client gets in a system message; one bad entry fails all
// entries of its channel. Database, section 3.1.
func (e Entry) Parse() (Subscription, error) {
	params, _ := decodeTerm(e.Raw).(map[string]any)
	s := Subscription{ID: e.ID, Event: event(params)}
	switch columns := params["select"].(type) {
	case []any:
		for _, c := range columns {
			if name, ok := c.(string); ok {
				s.Select = append(s.Select, name)
			}
		}
	case string:
		return Subscription{}, refusal(badSelect)
	}
	if err := s.place(params); err != nil {
		return Subscription{}, err
	}
	if s.Select != nil && (s.Schema == Any || s.Table == Any) {
		return Subscription{}, refusal(selectOfAny)
	}
	return s, nil
}

func refusal(text string) error { return &tutti.Error{Reason: text} }

// event returns the kind of change wanted. What is unknown means all kinds.
func event(params map[string]any) tutti.ChangeKind {
	name, _ := params["event"].(string)
	for _, kind := range []tutti.ChangeKind{tutti.Insert, tutti.Update, tutti.Delete} {
		if strings.ToUpper(name) == kind.String() {
			return kind
		}
	}
	return 0
}

// place sets schema, table and filters. A key that is there counts even when
// its value is null.
func (s *Subscription) place(params map[string]any) error {
	schema, hasSchema := params["schema"]
	table, hasTable := params["table"]
	filter, hasFilter := params["filter"]
	schemaName, schemaOK := schema.(string)
	tableName, tableOK := table.(string)
	text, filterOK := filter.(string)
	switch {
	case schemaOK && tableOK && filterOK:
		s.Schema, s.Table = schemaName, tableName
		filters, err := ParseFilters(text)
		s.Filters = filters
		return err
	case schemaOK && tableOK && !hasFilter:
		s.Schema, s.Table = schemaName, tableName
	case schemaOK && !hasTable && !hasFilter:
		s.Schema, s.Table = schemaName, Any
	case tableOK && !hasSchema && !hasFilter:
		s.Schema, s.Table = "public", tableName
	default:
		_, user := params["user_token"]
		_, auth := params["auth_token"]
		if user || auth {
			return refusal(noParams + "<redacted>")
		}
		return refusal(noParams + string(appendInspected(nil, params)))
	}
	return nil
}

package changes

import (
	"slices"
	"strconv"
	"strings"
)

// A Rule is a subscription bound to a table, ready to match. It never changes.
type Rule struct {
	Subscription *Subscription
	Relation     *Relation // nil for a subscription without filters to more than one table

	schema, table string
	conditions    []condition // cheapest first
	key           string      // equal for equal conditions
}

// Check binds a subscription to its tables. A subscription to more than one
// table without filters makes one rule, which holds for tables to come; any
// other makes one for each table that there is, so it must be checked anew when
// the publication changes. The error is a *tutti.Error without a code, whose
// text the client gets in a system message. Database, section 3.3.
func Check(c Catalog, s *Subscription) ([]*Rule, error) {
	tables := c.Tables(s.Schema, s.Table)
	if Hidden(s.Schema) || len(tables) == 0 {
		return nil, refusal(unable + "Please check Realtime is enabled for the given connect parameters: [" + s.parameters() + "]")
	}
	if (s.Schema == Any || s.Table == Any) && len(s.Filters) == 0 {
		return []*Rule{{Subscription: s, schema: s.Schema, table: s.Table}}, nil
	}
	rules := make([]*Rule, len(tables))
	for i, table := range tables {
		rule, f := bind(s, table)
		if f != nil {
			return nil, s.Refuse(f.state, f.text)
		}
		rules[i] = rule
	}
	return rules, nil
}

const unable = "Unable to subscribe to changes with given parameters. "

// Refuse returns the error by which a client learns that PostgreSQL refused its
// subscription: an SQLSTATE and the message. It is for the caller that asks
// about Doubtful filters; Check's own errors are made the same way.
func (s *Subscription) Refuse(state, message string) error {
	return refusal(unable + "An exception happened so please check your connect parameters: [" + s.parameters() +
		"]. Exception: ERROR " + state + " (" + stateName(state) + ") " + message)
}

// stateName returns PostgreSQL's name of an SQLSTATE, for those that a filter
// can meet.
func stateName(state string) string {
	switch state {
	case "P0001":
		return "raise_exception"
	case "22003":
		return "numeric_value_out_of_range"
	case "22007":
		return "invalid_datetime_format"
	case "22008":
		return "datetime_field_overflow"
	case "22021":
		return "character_not_in_repertoire"
	case "22023":
		return "invalid_parameter_value"
	case "22025":
		return "invalid_escape_sequence"
	case "2201B":
		return "invalid_regular_expression"
	case "22P02":
		return "invalid_text_representation"
	case "22P03":
		return "invalid_binary_representation"
	case "23514":
		return "check_violation"
	case "42501":
		return "insufficient_privilege"
	case "42704":
		return "undefined_object"
	case "42804":
		return "datatype_mismatch"
	case "42883":
		return "undefined_function"
	}
	return "internal_error"
}

// raised is the fault of a check of the reference's own.
func raised(message string) *fault { return &fault{"P0001", message} }

// bind makes the rule of a subscription for a table.
func bind(s *Subscription, table *Relation) (*Rule, *fault) {
	r := &Rule{Subscription: s, Relation: table, schema: table.Schema, table: table.Name}
	for _, f := range s.Filters {
		column := table.column(f.Column)
		if column == nil || !column.Selectable {
			return nil, raised("invalid column for filter " + f.Column)
		}
		c, fault := compile(f, column)
		if fault != nil {
			return nil, fault
		}
		r.conditions = append(r.conditions, c)
	}
	for _, name := range s.Select {
		if column := table.column(name); column == nil || !column.Selectable {
			return nil, raised("invalid column for select " + name)
		}
	}
	slices.SortFunc(r.conditions, func(a, b condition) int { return a.filter.compare(b.filter) })
	r.conditions = slices.CompactFunc(r.conditions, func(a, b condition) bool { return a.filter == b.filter })
	r.key = keyOf(r.conditions)
	slices.SortStableFunc(r.conditions, func(a, b condition) int { return a.cost() - b.cost() })
	return r, nil
}

// keyOf returns what two lists of sorted conditions have in common when they
// are the same.
func keyOf(conditions []condition) string {
	var key strings.Builder
	for _, c := range conditions {
		// Zero stands in no name or value of PostgreSQL.
		key.WriteString(strconv.FormatUint(uint64(c.column.Type), 10) + "\x00" + c.filter.Column + "\x00" + string(c.filter.Op) + "\x00" + c.filter.Value + "\x00")
		if c.filter.Negate {
			key.WriteByte('!')
		}
	}
	return key.String()
}

// Doubtful returns the filters whose values were not checked, because only
// PostgreSQL can read them. The caller asks it, before anything else, whether
// it can cast them and evaluate the operator, and refuses the subscription if
// not: a filter that fails later must not be among those that are evaluated.
func (r *Rule) Doubtful() []Filter {
	var filters []Filter
	for _, c := range r.conditions {
		if c.ask {
			filters = append(filters, c.filter)
		}
	}
	return filters
}

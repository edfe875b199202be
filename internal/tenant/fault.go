package tenant

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// mostFaults is how many faults of a file are named. More of them are one
// mistake made many times.
const mostFaults = 50

// Fault is one thing that is wrong in a tenants file. It never holds the value
// of a secret.
type Fault struct {
	File         string
	Line, Column int    // from 1; Line is 0 when the whole file is meant
	Field        string // such as "tenants[1].max_events_per_second", "" for none
	Problem      string // cause and, where there is one, the cure
}

// Error returns the fault in one line that an editor can follow, such as
//
//	tenants.yaml:12:5: tenants[1].private_only: must be true or false, got "yes"
func (f *Fault) Error() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	if f.Field != "" {
		place += ": " + f.Field
	}
	return place + ": " + f.Problem
}

// fault notes that something is wrong with a value.
func (v value) fault(problem string, args ...any) {
	line, column := v.position()
	v.r.faults = append(v.r.faults, &Fault{
		File: v.r.path, Line: line, Column: column,
		Field: v.field, Problem: fmt.Sprintf(problem, args...),
	})
}

// position returns where a value stands: at its name in a mapping, otherwise
// where it begins.
func (v value) position() (line, column int) {
	node := v.place
	if m, ok := node.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		node = m.Values[0].Key // the mapping itself has the place of its first colon
	}
	if node == nil {
		return 0, 0
	}
	t := node.GetToken()
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

// err returns the faults in the order of the file, or nil.
func (r *reader) err() error {
	slices.SortStableFunc(r.faults, func(a, b *Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var errs []error
	for i, fault := range r.faults {
		if i == mostFaults {
			more := &Fault{File: r.path, Problem: fmt.Sprintf("and %d more faults", len(r.faults)-i)}
			errs = append(errs, more)
			break
		}
		errs = append(errs, fault)
	}
	return errors.Join(errs...)
}

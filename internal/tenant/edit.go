package tenant

import (
	"maps"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/tutti-realtime/tutti"
)

// revise plans that a tenant of the document becomes another: by edits of the
// fields that differ or, as a whole, by writing it anew.
func (d *document) revise(before, after *tutti.Tenant, whole bool) bool {
	list, ok := d.listing()
	i := d.index(before.ExternalID)
	if !ok || i < 0 {
		return false
	}
	was, is := d.trees(before, after)
	end := d.count()
	if !list.IsFlowStyle {
		end = itemEnd(list.SequenceNode, i, list.end)
	}
	if !whole {
		return d.mapping(list.Values[i], end, was, is)
	}
	if item, flow := unwrap(list.Values[i]).(*ast.MappingNode); flow && item.IsFlowStyle {
		return d.flow(item.Start, item.End, is)
	}
	if list.IsFlowStyle {
		return false
	}
	dash := list.Entries[i].Start
	d.replaceLines(row(dash), d.trim(row(dash), end, column(dash)), string(appendItem(nil, column(dash), is)))
	return true
}

// mapping plans that a mapping, which ends before a line, says something else.
func (d *document) mapping(node ast.Node, end int, was, is map[string]any) bool {
	m, ok := unwrap(node).(*ast.MappingNode)
	if !ok {
		return false // an alias: others share it
	}
	differs := func(name string) bool { return !reflect.DeepEqual(was[name], is[name]) }
	if m.IsFlowStyle {
		given := maps.Clone(is)
		maps.DeleteFunc(given, func(name string, _ any) bool { return ownIndex(m, name) < 0 && !differs(name) })
		return d.flow(m.Start, m.End, given)
	}
	all := maps.Clone(was)
	maps.Copy(all, is)
	for _, name := range ordered(all) {
		if differs(name) {
			d.field(m, end, name, was[name], is[name])
		}
	}
	return true
}

// field plans that one field of a mapping in block style says something else,
// where nil is nothing.
func (d *document) field(m *ast.MappingNode, end int, name string, was, is any) {
	i := ownIndex(m, name)
	if name == "subcriber_pool_size" && ownIndex(m, "postgres_changes_pool") >= 0 {
		name = "postgres_changes_pool" // is the same, and wins
		i = ownIndex(m, name)
	}
	if i < 0 {
		d.insert(m, end, name, is)
		return
	}
	pair := m.Values[i]
	end = d.fieldEnd(m, i, end)
	planned := len(d.edits)
	if d.inside(pair.Value, end, was, is) {
		return
	}
	d.edits = d.edits[:planned]
	key := pair.Key.GetToken()
	first, indent := row(key), column(key)
	last := d.trim(first, end, indent)
	before := string(d.raw[d.start(first):d.at(key)]) // spaces, or "- " for the first field of an item
	if is == nil && strings.TrimSpace(before) == "" && !merges(m) {
		d.replaceLines(first, last, "")
		return
	}
	text := before + strings.TrimLeft(string(appendField(nil, indent, name, is)), " ")
	line, rest, _ := strings.Cut(text, "\n")
	d.replaceLines(first, last, line+d.comment(first)+"\n"+rest)
}

// inside plans edits inside of a value, if it and what it becomes are of a kind.
func (d *document) inside(node ast.Node, end int, was, is any) bool {
	switch is := is.(type) {
	case map[string]any:
		was, ok := was.(map[string]any)
		return ok && d.mapping(node, end, was, is)
	case []any:
		was, ok := was.([]any)
		return ok && d.list(node, end, was, is)
	}
	return false
}

// list plans that items of a list say something else.
func (d *document) list(node ast.Node, end int, was, is []any) bool {
	list, ok := unwrap(node).(*ast.SequenceNode)
	switch {
	case !ok:
		return false
	case list.IsFlowStyle:
		return d.flow(list.Start, list.End, is)
	case len(was) != len(is) || len(list.Entries) != len(is):
		return false
	}
	for i := range is {
		switch {
		case reflect.DeepEqual(was[i], is[i]):
		case kindOf(was[i]) != kindOf(is[i]):
			return false
		case !d.inside(list.Values[i], itemEnd(list, i, end), was[i], is[i]):
			return false
		}
	}
	return true
}

// flow plans that a value between brackets becomes another.
func (d *document) flow(start, end *token.Token, is any) bool {
	if start == nil || end == nil {
		return false
	}
	d.replace(d.at(start), d.at(end)+1, string(appendFlow(nil, is)))
	return true
}

// insert plans a new field at the end of a mapping. Nothing has to be said, for
// what a mapping merges has a value otherwise.
func (d *document) insert(m *ast.MappingNode, end int, name string, is any) {
	last := m.Values[len(m.Values)-1].Key.GetToken()
	indent := column(m.Values[0].Key.GetToken())
	at := d.trim(row(last), end, indent)
	d.replaceLines(at, at, string(appendField(nil, indent, name, is)))
}

// add plans a tenant at the end of the list.
func (d *document) add(t *tutti.Tenant) bool {
	list, ok := d.listing()
	if !ok {
		return false
	}
	is := brief(t)
	switch n := len(list.Values); {
	case !list.IsFlowStyle:
		dash := list.Entries[n-1].Start
		at := d.trim(row(dash), list.end, column(dash))
		text := string(appendItem(nil, column(dash), is))
		if d.separated(list.SequenceNode, n-1) {
			text = "\n" + text
		}
		d.replaceLines(at, at, text)
	case n == 0 && !d.root.IsFlowStyle:
		indent := column(d.root.Values[0].Key.GetToken())
		d.replace(d.at(list.pair.Start)+1, d.at(list.End)+1, "")
		d.replaceLines(row(list.End)+1, row(list.End)+1, string(appendItem(nil, indent+2, is)))
	case n == 0:
		d.replace(d.at(list.End), d.at(list.End), string(appendFlow(nil, is)))
	default:
		return d.append(list.Values[n-1], is)
	}
	return true
}

// append plans a tenant behind the last one of a list between brackets.
func (d *document) append(last ast.Node, is map[string]any) bool {
	item, ok := unwrap(last).(*ast.MappingNode)
	if !ok || !item.IsFlowStyle || item.End == nil {
		return false
	}
	between := ", "
	if line := d.line(row(item.Start)); strings.TrimSpace(line[:d.at(item.Start)-d.start(row(item.Start))]) == "" {
		between = ",\n" + strings.Repeat(" ", column(item.Start))
	}
	at := d.at(item.End) + 1
	d.replace(at, at, between+string(appendFlow(nil, is)))
	return true
}

// brief returns what has to be said of a new tenant. Its limits are written even
// where they are the server's defaults, which may change.
func brief(t *tutti.Tenant) map[string]any {
	is := tree(t)
	obvious := tree(Defaults{}.Tenant(t.ExternalID))
	for _, name := range []string{"name", "presence_enabled", "private_only", "suspend", "postgres_cdc_default", "broadcast_adapter"} {
		if is[name] == obvious[name] {
			delete(is, name)
		}
	}
	return is
}

// remove plans that a tenant is gone, and its comments with it.
func (d *document) remove(id string) bool {
	list, ok := d.listing()
	i := d.index(id)
	if !ok || i < 0 {
		return false
	}
	if list.IsFlowStyle {
		return d.removeFlow(list.SequenceNode, i)
	}
	dash := list.Entries[i].Start
	end := itemEnd(list.SequenceNode, i, list.end)
	last := d.trim(row(dash), end, column(dash))
	if len(list.Values) == 1 {
		at := d.at(list.pair.Start) + 1
		d.replace(at, at, " []")
	} else {
		for last < end && i+1 < len(list.Values) && strings.TrimSpace(d.line(last)) == "" {
			last++
		}
	}
	d.replaceLines(d.head(list.SequenceNode, i), last, "")
	return true
}

// removeFlow plans that an item of a list between brackets is gone, with the
// comma before or behind it.
func (d *document) removeFlow(list *ast.SequenceNode, i int) bool {
	bounds := func(i int) (from, to int, ok bool) {
		item, ok := unwrap(list.Values[i]).(*ast.MappingNode)
		if !ok || !item.IsFlowStyle || item.End == nil {
			return 0, 0, false
		}
		return d.at(list.Values[i].GetToken()), d.at(item.End) + 1, true
	}
	from, to, ok := bounds(i)
	switch {
	case ok && i > 0:
		_, from, ok = bounds(i - 1)
	case ok && len(list.Values) > 1:
		to, _, ok = bounds(i + 1)
	}
	if ok {
		d.replace(from, to, "")
	}
	return ok
}

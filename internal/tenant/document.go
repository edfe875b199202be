package tenant

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/tutti-realtime/tutti"
)

// A document is a tenants file that is about to be changed. What it is to say is
// planned as edits of its source; comments, order, anchors and variables of what
// does not change stay. Whether a plan does what it should is for the caller to
// see, by reading what came of it: YAML has more ways to write a value than are
// known here.
type document struct {
	*source
	root    *ast.MappingNode
	tenants []*tutti.Tenant   // in the order of the file
	kept    map[string]string // as in reader
}

// openDocument reads a tenants file. The error names its faults.
func openDocument(raw []byte, r *reader, defaults Defaults) (*document, error) {
	r.kept = make(map[string]string)
	raw, carriage := withoutCarriage(raw)
	tenants, top, err := r.parse(raw, defaults)
	if err != nil {
		return nil, err
	}
	root, _ := top.node.(*ast.MappingNode)
	d := &document{source: newSource(raw), root: root, tenants: tenants, kept: r.kept}
	d.carriage = carriage
	return d, nil
}

// index returns the place of a tenant, or -1.
func (d *document) index(id string) int {
	return slices.IndexFunc(d.tenants, func(t *tutti.Tenant) bool { return t.ExternalID == id })
}

// A listing is the list of the tenants in a document.
type listing struct {
	pair *ast.MappingValueNode
	*ast.SequenceNode
	end int // the line behind it
}

// listing finds the list, unless it stands somewhere else under an alias.
func (d *document) listing() (l listing, ok bool) {
	if d.root == nil {
		return l, false
	}
	i := ownIndex(d.root, "tenants")
	if i < 0 {
		return l, false
	}
	l.pair = d.root.Values[i]
	l.end = d.fieldEnd(d.root, i, d.count())
	l.SequenceNode, ok = unwrap(l.pair.Value).(*ast.SequenceNode)
	return l, ok
}

// itemEnd returns the line behind an item of a list in block style.
func itemEnd(list *ast.SequenceNode, i, end int) int {
	if i+1 < len(list.Entries) {
		return row(list.Entries[i+1].Start)
	}
	return end
}

// fieldEnd returns the line behind a field of a mapping in block style.
func (d *document) fieldEnd(m *ast.MappingNode, i, end int) int {
	if i+1 < len(m.Values) {
		return row(m.Values[i+1].Key.GetToken())
	}
	return end
}

// ownIndex returns the place of a field that a mapping has itself, or -1.
func ownIndex(m *ast.MappingNode, name string) int {
	return slices.IndexFunc(m.Values, func(pair *ast.MappingValueNode) bool {
		key, ok := keyText(pair.Key)
		return ok && key == name && !pair.Key.IsMergeKey()
	})
}

// merges reports whether a mapping has fields that are written elsewhere.
func merges(m *ast.MappingNode) bool {
	return slices.ContainsFunc(m.Values, func(pair *ast.MappingValueNode) bool { return pair.Key.IsMergeKey() })
}

// unwrap returns what an anchor names.
func unwrap(node ast.Node) ast.Node {
	for {
		anchor, ok := node.(*ast.AnchorNode)
		if !ok {
			return node
		}
		node = anchor.Value
	}
}

// trees returns what two versions of a tenant say, with the names of variables
// in the place of values that are the same in both and kept in one.
func (d *document) trees(before, after *tutti.Tenant) (was, is map[string]any) {
	path := "tenants[" + strconv.Itoa(d.index(before.ExternalID)) + "]"
	old := tree(before)
	was, _ = d.marked(old, old, path).(map[string]any)
	is, _ = d.marked(tree(after), old, path).(map[string]any)
	return was, is
}

func (d *document) marked(v, before any, path string) any {
	if name, ok := d.kept[path]; ok && reflect.DeepEqual(v, before) {
		return variable(name)
	}
	switch v := v.(type) {
	case map[string]any:
		old, _ := before.(map[string]any)
		marked := make(map[string]any, len(v))
		for name, field := range v {
			marked[name] = d.marked(field, old[name], path+"."+name)
		}
		return marked
	case []any:
		old, _ := before.([]any)
		marked := make([]any, 0, len(v))
		for i, item := range v {
			if kind := kindOf(item); kind != nil {
				i = slices.IndexFunc(old, func(o any) bool { return kindOf(o) == kind })
			}
			if i < 0 || i >= len(old) {
				marked = append(marked, item)
				continue
			}
			marked = append(marked, d.marked(item, old[i], path+"["+strconv.Itoa(i)+"]"))
		}
		return marked
	}
	return v
}

// kindOf returns the type of an extension, nil for all else.
func kindOf(item any) any {
	fields, _ := item.(map[string]any)
	kind, ok := fields["type"].(string)
	if !ok {
		return nil
	}
	return kind
}

// separated reports whether a blank line stands above an item and its comments.
func (d *document) separated(list *ast.SequenceNode, i int) bool {
	return i > 0 && strings.TrimSpace(d.line(d.head(list, i)-1)) == ""
}

// head returns the line in which the comments above an item begin, or the item.
// Those above the first one are about all of them.
func (d *document) head(list *ast.SequenceNode, i int) int {
	dash := list.Entries[i].Start
	first := row(dash)
	for i > 0 && strings.HasPrefix(d.line(first-1), strings.Repeat(" ", column(dash))+"#") {
		first--
	}
	return first
}

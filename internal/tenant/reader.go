package tenant

import (
	"errors"
	"fmt"
	"iter"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// mostValues is how many values a tenants file may have when all aliases are
// written out. A few nested aliases can stand for more than fits in memory.
const mostValues = 1_000_000

// A reader turns the nodes of one YAML document into values, and collects what
// is wrong with them.
type reader struct {
	path   string
	getenv func(string) string
	faults []*Fault

	aliases map[*ast.AliasNode]ast.Node // nil for an anchor that was not seen before it
	values  int

	kept map[string]string // fields whose text is in a variable, to how they name it
}

// open parses a file and returns its one document.
func (r *reader) open(raw []byte) (top value, ok bool) {
	file, err := parseYAML(raw)
	if err != nil {
		fault := &Fault{File: r.path, Problem: err.Error()}
		if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok {
			fault.Problem = "not valid YAML: " + syntax.Message
			if at := syntax.Token; at != nil && at.Position != nil {
				fault.Line, fault.Column = at.Position.Line, at.Position.Column
			}
		}
		r.faults = append(r.faults, fault)
		return value{}, false
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			value{r: r, place: doc.Body}.fault("must be the only YAML document of the file")
			return value{}, false
		}
		body = doc.Body
	}
	r.aliases = make(map[*ast.AliasNode]ast.Node)
	r.bind(body, make(map[string]ast.Node))
	return r.at(body, ""), true
}

// parseYAML parses a file. The parser is not ours; should a strange file make it
// panic, that is one more bad file, and no reason for a server to stop.
func parseYAML(raw []byte) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not valid YAML: %v", p)
		}
	}()
	return parser.ParseBytes(raw, 0)
}

// bind finds the node that each alias stands for, the latest of its name that
// ends before it. As no alias is inside its own anchor, there are no circles.
func (r *reader) bind(node ast.Node, named map[string]ast.Node) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, pair := range n.Values {
			r.bind(pair.Value, named)
		}
	case *ast.SequenceNode:
		for _, item := range n.Values {
			r.bind(item, named)
		}
	case *ast.TagNode:
		r.bind(n.Value, named)
	case *ast.AnchorNode:
		r.bind(n.Value, named)
		named[nodeText(n.Name)] = n.Value
	case *ast.AliasNode:
		r.aliases[n] = named[nodeText(n.Value)]
	}
}

// nodeText returns a scalar as it was written.
func nodeText(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// at returns the value of a node that stands in the given field.
func (r *reader) at(node ast.Node, field string) value {
	v := value{r: r, node: node, place: node, field: field}
	if r.values++; r.values > mostValues {
		if r.values == mostValues+1 {
			v.fault("the file has more than %d values", mostValues)
		}
		v.node, v.broken = nil, true
		return v
	}
	for {
		switch n := v.node.(type) {
		case *ast.NullNode:
			v.node = nil
		case *ast.AnchorNode:
			v.node = n.Value
		case *ast.AliasNode:
			if v.node = r.aliases[n]; v.node == nil {
				v.broken = true
				v.fault("there is no anchor &%s before this alias", nodeText(n.Value))
			}
		case *ast.TagNode:
			v.fault("tags such as %s have no meaning here", nodeText(n))
			v.node, v.broken = nil, true
		default:
			return v
		}
	}
}

// pairs goes through the names and values of a mapping: its own, then those that
// it merges and has none of its own for.
func (v value) pairs() iter.Seq2[string, value] {
	return func(yield func(string, value) bool) {
		v.visit(make(map[string]bool), yield)
	}
}

func (v value) visit(seen map[string]bool, yield func(string, value) bool) bool {
	mapping, ok := v.node.(*ast.MappingNode)
	if !ok && v.broken {
		return true
	}
	if !ok {
		v.fault("must be a mapping or a list of mappings, got %s", v.describe())
		return true
	}
	var merged []value
	for _, pair := range mapping.Values {
		if pair.Key.IsMergeKey() {
			merged = append(merged, v.merge(pair)...)
			continue
		}
		name, ok := keyText(pair.Key)
		field := v.r.at(pair.Value, v.in(name).field)
		field.place = pair.Key
		switch {
		case !ok:
			field.fault("the name of a value must be text")
		case seen[name]:
		case !yield(name, field):
			return false
		}
		seen[name] = true
	}
	for _, m := range merged {
		if !m.visit(seen, yield) {
			return false
		}
	}
	return true
}

// merge returns the mappings that a merge key names, one or a list of them.
func (v value) merge(pair *ast.MappingValueNode) []value {
	from := v.r.at(pair.Value, v.field)
	from.place = pair.Key
	if _, ok := from.node.(*ast.SequenceNode); !ok {
		return []value{from}
	}
	var all []value
	from.list(func(item value) {
		item.field = v.field
		all = append(all, item)
	})
	return all
}

// keyText returns the name of a value.
func keyText(key ast.Node) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return nodeText(k), true
	}
	return "", false
}

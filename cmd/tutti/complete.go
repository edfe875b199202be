package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// An offer is something that may stand at the cursor.
type offer struct{ word, help string }

// files is the offer of whatever files there are, which the shell knows best.
var files = []offer{{":files", ""}}

// A line is a command line that is being written, as far as it was read.
type line struct {
	node  *kong.Node
	given map[string]string // flags with their values
	place int               // which positional argument comes next
	flag  *kong.Flag        // it wants its value next
	plain bool              // after "--" there are no flags
}

// complete returns what may stand at the last word, and begins with it. names
// returns the tenants of a file.
func complete(root *kong.Node, words []string, names func(file string) []string) []offer {
	if len(words) == 0 {
		words = []string{""}
	}
	l := line{node: root, given: map[string]string{}}
	last := len(words) - 1
	for _, w := range words[:last] {
		l.read(w)
	}
	return l.offers(words[last], names)
}

// read takes a word that is finished. bash has "--flag=value" as three words.
func (l *line) read(word string) {
	switch {
	case word == "=" && l.flag != nil:
	case l.flag != nil:
		l.given[l.flag.Name], l.flag = word, nil
	case l.plain:
		l.place++
	case word == "--":
		l.plain = true
	case strings.HasPrefix(word, "-") && word != "-":
		name, value, whole := strings.Cut(word, "=")
		f := l.find(name)
		if f == nil {
			return
		}
		l.given[f.Name] = value
		if !whole && !f.IsBool() {
			l.flag = f
		}
	default:
		if child := l.child(word); child != nil {
			l.node, l.place = child, 0
			return
		}
		l.place++
	}
}

func (l *line) child(name string) *kong.Node {
	for _, c := range l.node.Children {
		if c.Name == name || slices.Contains(c.Aliases, name) {
			return c
		}
	}
	return nil
}

// find returns the flag that is written so, nil if there is none.
func (l *line) find(written string) *kong.Flag {
	for _, group := range l.node.AllFlags(false) {
		for _, f := range group {
			if written == "--"+f.Name || f.Short != 0 && written == "-"+string(f.Short) ||
				f.Tag.Negatable != "" && written == "--no-"+f.Name {
				return f
			}
		}
	}
	return nil
}

// offers returns what may follow, if it begins with word.
func (l *line) offers(word string, names func(string) []string) []offer {
	if l.flag != nil {
		if word == "=" {
			word = ""
		}
		return beginning(word, values(l.flag.Value))
	}
	if !l.plain && strings.HasPrefix(word, "-") {
		if name, begun, found := strings.Cut(word, "="); found {
			return l.inOneWord(name, begun)
		}
		return beginning(word, l.flags())
	}
	return beginning(word, append(l.commands(), l.argument(names)...))
}

// inOneWord completes "--flag=value".
func (l *line) inOneWord(name, begun string) []offer {
	f := l.find(name)
	if f == nil {
		return nil
	}
	list := beginning(begun, values(f.Value))
	for i := range list {
		if !strings.HasPrefix(list[i].word, ":") {
			list[i].word = name + "=" + list[i].word
		}
	}
	return list
}

// flags returns those that may still be given.
func (l *line) flags() (list []offer) {
	for _, group := range l.node.AllFlags(true) {
		for _, f := range group {
			if _, given := l.given[f.Name]; given && !f.IsCumulative() {
				continue
			}
			list = append(list, offer{"--" + f.Name, f.Help})
		}
	}
	slices.SortFunc(list, func(a, b offer) int { return strings.Compare(a.word, b.word) })
	return list
}

func (l *line) commands() (list []offer) {
	if l.plain || l.place > 0 {
		return nil
	}
	for _, c := range l.node.Children {
		if !c.Hidden {
			list = append(list, offer{c.Name, c.Help})
		}
	}
	return list
}

// argument returns what the next positional argument may be.
func (l *line) argument(names func(string) []string) (list []offer) {
	if l.place >= len(l.node.Positional) {
		return nil
	}
	p := l.node.Positional[l.place]
	if p.Name != "tenant" && (p.Name != "name" || l.node.Name == "add") { // a new one has no name yet
		return values(p)
	}
	file := l.given[flagTenants]
	if file == "" {
		file = os.Getenv("TENANTS_FILE")
	}
	for _, name := range names(file) {
		list = append(list, offer{name, "tenant"})
	}
	return list
}

// values returns what a value may be, nothing where anything goes.
func values(v *kong.Value) (list []offer) {
	if v.Enum != "" {
		for word := range strings.SplitSeq(v.Enum, ",") {
			list = append(list, offer{strings.TrimSpace(word), v.Help})
		}
		return list
	}
	switch v.Tag.Type {
	case "path", "existingfile", "existingdir", "filecontent":
		return files
	}
	return nil
}

func beginning(word string, list []offer) []offer {
	return slices.DeleteFunc(slices.Clone(list), func(o offer) bool {
		return !strings.HasPrefix(o.word, ":") && !strings.HasPrefix(o.word, word)
	})
}

// tenantNames returns the tenants of a file, none when it cannot be read.
func tenantNames(file string) (names []string) {
	if file == "" {
		return nil
	}
	f, err := tenant.OpenFile(file, os.Getenv, tenant.Defaults{Extensions: extensions()})
	if err != nil {
		return nil
	}
	page, err := f.List(context.Background(), tutti.TenantQuery{})
	if err != nil {
		return nil
	}
	for i := range page.Tenants {
		names = append(names, page.Tenants[i].ExternalID)
	}
	return names
}

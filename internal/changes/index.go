package changes

import (
	"slices"

	"github.com/tutti-realtime/tutti"
)

// An Index finds the subscribers of a change among many. T is whatever tells
// its owner who a subscriber is. Subscribers with the same conditions are
// judged once, and those that want a column to have certain values are found
// by the value, so that a change costs what its receivers cost and not what
// all subscribers would. The zero Index is ready. It is for one goroutine.
type Index[T any] struct {
	shelves map[place]*shelf[T]
}

// A place is what a rule is filed under. Schema and table may be Any and the
// kind zero, for all of them.
type place struct {
	schema, table string
	kind          tutti.ChangeKind
}

// A shelf is the groups that wait for changes of one place.
type shelf[T any] struct {
	groups  map[string]*Group[T] // by their conditions
	lookups map[subject]*lookup[T]
	others  []*Group[T] // no condition to look up by
}

// A subject is a column that is looked up by.
type subject struct {
	column string
	oid    uint32
}

// A lookup is the groups that want a column to have one of certain values.
type lookup[T any] struct {
	condition *condition // one of the column, for how to read values
	groups    map[string][]*Group[T]
}

// A Group is the subscribers with the same conditions. Its methods and fields may
// be used while Match calls, and its lists not changed.
type Group[T any] struct {
	// Turns grows whenever somebody comes or goes.
	Turns uint64
	// Memo is for the owner of the index, who may keep something there that he
	// has found out of the group.
	Memo any

	rule    *Rule
	lookup  *condition  // by which it is filed, nil among others
	rest    []condition // to be judged still
	who     []T
	members []*Member[T] // of who, in the same order
}

// Rule returns the rule of one of them, whose conditions are those of all.
func (g *Group[T]) Rule() *Rule { return g.rule }

// Who returns the subscribers.
func (g *Group[T]) Who() []T { return g.who }

// A Member is a subscriber in an Index.
type Member[T any] struct {
	place place
	group *Group[T]
	at    int // in group.who
}

// Add adds a subscriber who wants the changes of a rule.
func (x *Index[T]) Add(r *Rule, who T) *Member[T] {
	at := place{r.schema, r.table, r.Subscription.Event}
	s := x.shelves[at]
	if s == nil {
		if x.shelves == nil {
			x.shelves = map[place]*shelf[T]{}
		}
		s = &shelf[T]{groups: map[string]*Group[T]{}, lookups: map[subject]*lookup[T]{}}
		x.shelves[at] = s
	}
	g := s.groups[r.key]
	if g == nil {
		g = newGroup[T](r)
		s.add(g)
	}
	g.Turns++
	m := &Member[T]{place: at, group: g, at: len(g.who)}
	g.who, g.members = append(g.who, who), append(g.members, m)
	return m
}

func newGroup[T any](r *Rule) *Group[T] {
	g := &Group[T]{rule: r, rest: r.conditions}
	for i := range r.conditions {
		if c := &r.conditions[i]; c.exact() {
			g.lookup = c
			g.rest = slices.Delete(slices.Clone(r.conditions), i, i+1)
			break
		}
	}
	return g
}

// Remove removes a subscriber that Add returned. It does so once.
func (x *Index[T]) Remove(m *Member[T]) {
	g, last := m.group, len(m.group.who)-1
	if m.at > last || g.members[m.at] != m {
		return
	}
	g.Turns++
	g.who[m.at], g.members[m.at] = g.who[last], g.members[last]
	g.members[m.at].at = m.at
	var nobody T
	g.who[last], g.members[last] = nobody, nil
	g.who, g.members = g.who[:last], g.members[:last]
	if last > 0 {
		return
	}
	s := x.shelves[m.place]
	if s.remove(g); len(s.groups) == 0 {
		delete(x.shelves, m.place)
	}
}

func (s *shelf[T]) add(g *Group[T]) {
	s.groups[g.rule.key] = g
	if g.lookup == nil {
		s.others = append(s.others, g)
		return
	}
	keys := g.lookup.keys()
	if len(keys) == 0 {
		return // in an empty list there is nothing to find
	}
	on := subject{g.lookup.column.Name, g.lookup.column.Type}
	l := s.lookups[on]
	if l == nil {
		l = &lookup[T]{condition: g.lookup, groups: map[string][]*Group[T]{}}
		s.lookups[on] = l
	}
	for _, key := range keys {
		l.groups[key] = append(l.groups[key], g)
	}
}

func (s *shelf[T]) remove(g *Group[T]) {
	delete(s.groups, g.rule.key)
	if g.lookup == nil {
		s.others = without(s.others, g)
		return
	}
	keys := g.lookup.keys()
	if len(keys) == 0 {
		return
	}
	on := subject{g.lookup.column.Name, g.lookup.column.Type}
	l := s.lookups[on]
	for _, key := range keys {
		if rest := without(l.groups[key], g); len(rest) > 0 {
			l.groups[key] = rest
		} else {
			delete(l.groups, key)
		}
	}
	if len(l.groups) == 0 {
		delete(s.lookups, on)
	}
}

// without removes one element without keeping the order.
func without[E comparable](list []E, e E) []E {
	at := slices.Index(list, e)
	if at < 0 {
		return list
	}
	last := len(list) - 1
	var none E
	list[at], list[last] = list[last], none
	return list[:last]
}

// keys returns the distinct values of the condition as bytes to look up by.
func (c *condition) keys() []string {
	var keys []string
	for i := range c.values {
		keys = append(keys, string(c.kind.appendKey(nil, &c.values[i])))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Match calls yield for each group of subscribers whose rule a change passes,
// or may pass. When the verdict is Ask, PostgreSQL is to be asked about all
// filters of the rule's Subscription, each cast as in section 3.3 of Database.
// Yield must not change the index. Changes of Hidden schemas and TRUNCATE are
// nobody's.
func (x *Index[T]) Match(c *tutti.Change, yield func(g *Group[T], v Verdict)) {
	if c.Kind == tutti.Truncate || Hidden(c.Table.Schema) {
		return
	}
	for _, schema := range [...]string{c.Table.Schema, Any} {
		for _, table := range [...]string{c.Table.Name, Any} {
			for _, kind := range [...]tutti.ChangeKind{c.Kind, 0} {
				if s := x.shelves[place{schema, table, kind}]; s != nil {
					s.match(c, yield)
				}
			}
		}
	}
}

func (s *shelf[T]) match(c *tutti.Change, yield func(g *Group[T], v Verdict)) {
	for _, l := range s.lookups {
		l.match(c, yield)
	}
	for _, g := range s.others {
		if v := judge(g.rest, c); v != No {
			yield(g, v)
		}
	}
}

func (l *lookup[T]) match(c *tutti.Change, yield func(g *Group[T], v Verdict)) {
	value, known := l.condition.find(c)
	if value.Kind != tutti.Text {
		return // neither null nor what is missing equals anything
	}
	if known {
		d, read, fault := l.condition.kind.read(value.Text)
		if known = read && fault == nil; known {
			var buffer [64]byte
			for _, g := range l.groups[string(l.condition.kind.appendKey(buffer[:0], &d))] {
				if v := judge(g.rest, c); v != No {
					yield(g, v)
				}
			}
			return
		}
	}
	l.doubt(c, yield)
}

// doubt is for a value that cannot be read here: PostgreSQL must be asked about
// each group that nothing else excludes.
func (l *lookup[T]) doubt(c *tutti.Change, yield func(g *Group[T], v Verdict)) {
	seen := map[*Group[T]]bool{}
	for _, groups := range l.groups {
		for _, g := range groups {
			if !seen[g] && judge(g.rest, c) != No {
				yield(g, Ask)
			}
			seen[g] = true
		}
	}
}

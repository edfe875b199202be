package limit

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti/internal/tally"
)

const (
	// electEvery is how often busier tenants may take the places of others.
	electEvery = 5 * time.Minute
	// busier is by how much, so that tenants do not take turns.
	busier = 2
)

// A shortlist is the tenants that have metrics of their own. All others share
// those of "other". Who has a place keeps it as long as he is there: he gives it
// up only to one who is twice as busy, and that not often, because a series that
// comes and goes tells nothing.
//
// Counters of "other" never jump when a tenant changes sides, and never go back.
type shortlist struct {
	most   int // places
	places map[string]*place
	base   books // what "other" has beside what was counted of its tenants and of those of the past
	chosen time.Time
}

// A place is a tenant's on the list.
type place struct {
	tenant *tally.Tenant // what tells this life of the tenant from the next
	books  books         // as they were shown last
}

// update chooses among the tenants that there are.
func (l *shortlist) update(now time.Time, living map[string]*Tenant) {
	if l.places == nil {
		l.places, l.chosen = map[string]*place{}, now
	}
	for id, p := range l.places {
		if t := living[id]; t == nil || t.Tally != p.tenant {
			l.drop(id)
		}
	}
	waiting := l.waiting(living)
	for len(waiting) > 0 && len(l.places) < l.most {
		l.take(waiting[0], living[waiting[0]])
		waiting = waiting[1:]
	}
	if len(waiting) > 0 && now.Sub(l.chosen) >= electEvery {
		l.chosen = now
		l.elect(waiting, living)
	}
}

// waiting returns those without a place, the busiest first.
func (l *shortlist) waiting(living map[string]*Tenant) []string {
	var ids []string
	for id := range living {
		if l.places[id] == nil && id != OtherTenants { // who is called so stays there
			ids = append(ids, id)
		}
	}
	sortBusiest(ids, living)
	return ids
}

// elect gives places of those that are not busy to those that are.
func (l *shortlist) elect(waiting []string, living map[string]*Tenant) {
	seated := slices.Collect(maps.Keys(l.places))
	sortBusiest(seated, living)
	for _, id := range waiting {
		last := len(seated) - 1
		if last < 0 || living[id].bustle() <= busier*living[seated[last]].bustle() {
			return
		}
		l.show(seated[last], living[seated[last]]) // up to now it is its own
		l.drop(seated[last])
		l.take(id, living[id])
		seated = seated[:last]
	}
}

// take gives a tenant a place. What was counted of it stays with "other", too.
func (l *shortlist) take(id string, t *Tenant) {
	p := &place{tenant: t.Tally}
	l.places[id] = p
	l.base.merge(l.show(id, t), 1)
}

// drop takes a place away. What was shown of its tenant does not become that of
// "other".
func (l *shortlist) drop(id string) {
	l.base.merge(&l.places[id].books, -1)
	delete(l.places, id)
}

// show renews the books of a tenant that has a place, and returns them.
func (l *shortlist) show(id string, t *Tenant) *books {
	p := l.places[id]
	p.books = books{}
	t.ledger().addTo(&p.books)
	return &p.books
}

// sortBusiest puts the busiest first, and equals in the order of their names.
func sortBusiest(ids []string, living map[string]*Tenant) {
	bustle := make(map[string]float64, len(ids))
	for _, id := range ids {
		bustle[id] = living[id].bustle()
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(bustle[b], bustle[a]), cmp.Compare(a, b))
	})
}

// bustle says how much is going on: users and events per second of this node.
func (t *Tenant) bustle() float64 {
	sum := float64(t.Users())
	for _, c := range t.counters() {
		sum += c.Local()
	}
	return sum
}

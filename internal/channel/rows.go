package channel

import (
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// unpublished is the catalog of a tenant without a database: it has no tables.
type unpublished struct{}

// Tables returns none.
func (unpublished) Tables(schema, name string) []*changes.Relation { return nil }

// refuseRows tells the client that the database changes that it asked for will
// not come, and why. One bad entry fails the whole list, as in the reference.
func (ch *Channel) refuseRows(entries []changes.Entry) {
	for _, e := range entries {
		s, err := e.Parse()
		if err == nil {
			_, err = changes.Check(unpublished{}, &s)
		}
		if err != nil {
			ch.system("postgres_changes", phoenix.StatusError, err.Error())
			return
		}
	}
}

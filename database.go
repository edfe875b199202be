package tutti

import (
	"fmt"
	"hash/fnv"
	"time"
)

// A Database says how to reach the database of a tenant, and what the server
// does there. It is never changed.
type Database struct {
	Host     string
	Port     uint16
	Name     string
	User     string
	Password string
	SSL      bool   // connect with TLS
	CA       string // certificates that may have signed the database's, as PEM; "" verifies nothing

	Pool int // connections for policies and replay, at least 1

	Publication string // whose tables clients may subscribe to
	Slot        string // name of the replication slot
	Temporary   bool   // the slot goes with every connection, and changes with it
	MaxChange   int    // bytes of a change; a larger one comes without its large values

	ReplayLimit int           // the most messages that one join gets of the past
	Retention   time.Duration // how long messages are kept
	Recheck     time.Duration // how often who may read a private topic is asked again; 0 is never
}

// SlotName returns the name of the replication slot that a server reads. It is
// not the one that the reference uses, whose slots are of another kind. Names
// are one for all databases of a PostgreSQL, so that of a database other than
// postgres is part of it, as a number. Suffix tells apart servers that share a
// database.
func (d *Database) SlotName(suffix string) string {
	const longest = 63 // bytes of a name in PostgreSQL
	end := "_tutti"
	if d.Name != "postgres" {
		h := fnv.New32a()
		h.Write([]byte(d.Name))
		end += fmt.Sprintf("_%08x", h.Sum32())
	}
	if suffix != "" {
		end += "_" + suffix
	}
	return d.Slot[:max(0, min(len(d.Slot), longest-len(end)))] + end
}

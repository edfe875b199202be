package tutti

import "time"

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
// not the one that the reference uses, whose slots are of another kind. Suffix
// tells apart servers that share a database.
func (d *Database) SlotName(suffix string) string {
	const longest = 63 // bytes of a name in PostgreSQL
	name := d.Slot + "_tutti"
	if suffix != "" {
		name += "_" + suffix
	}
	return name[:min(len(name), longest)]
}

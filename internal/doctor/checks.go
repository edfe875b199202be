package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

func (r *Report) tls(settings tutti.Database, s postgres.ExaminedServer) {
	switch {
	case s.TLS && settings.CA != "":
		r.add(OK, "TLS", "the connection is encrypted and the certificate verified", "")
	case s.TLS:
		r.add(Warning, "TLS", "the connection is encrypted, but nobody verifies the certificate",
			"put the certificates that may have signed it into ssl_ca_cert")
	case local(settings.Host):
		r.add(OK, "TLS", "the connection is not encrypted, and does not leave this machine", "")
	default:
		r.add(Warning, "TLS", "the connection is not encrypted", "set ssl_enforced to true")
	}
}

func local(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1" || strings.HasPrefix(host, "/")
}

// oldest and newest are the versions of PostgreSQL that the server is made for.
const oldest, newest = 14, 18

func (r *Report) server(s postgres.ExaminedServer) {
	major := s.Version / 10_000
	said := fmt.Sprintf("PostgreSQL %d.%d", major, s.Version%10_000)
	switch {
	case major < oldest:
		r.add(Problem, "version", said, fmt.Sprintf("upgrade to PostgreSQL %d or later", oldest))
	case major > newest:
		r.add(Warning, "version", said+", which this server was not tried with", "look for a newer tutti")
	default:
		r.add(OK, "version", said, "")
	}
	r.judge(!s.InRecovery, Problem, "primary", map[bool]string{false: "it is the primary", true: "it is a replica"}[s.InRecovery],
		"connect to the primary: changes are read, and objects made, there")
	r.judge(s.WalLevel == "logical", Problem, "wal_level", "wal_level is "+s.WalLevel,
		"ALTER SYSTEM SET wal_level = logical; and restart PostgreSQL")
}

// headroom is about what runs out.
func (r *Report) headroom(s postgres.ExaminedServer, settings tutti.Database) {
	r.free("replication slots", s.ReplicationSlots, s.MaxReplicationSlots, 1, "max_replication_slots")
	r.free("wal senders", s.WalSenders, s.MaxWalSenders, 1, "max_wal_senders")
	most := s.MaxConnections - s.ReservedConnections
	r.free("connections", s.Connections, most, settings.Pool+4, "max_connections")
}

func (r *Report) free(what string, used, most, wanted int, setting string) {
	status := OK
	cure := ""
	if most-used < wanted {
		status = Warning // those that are used may well be ours
		cure = fmt.Sprintf("ALTER SYSTEM SET %s to more and restart PostgreSQL", setting)
	}
	r.add(status, what, fmt.Sprintf("%d of %d are in use", used, most), cure)
}

func (r *Report) login(l postgres.ExaminedLogin) {
	name := quote(l.Name)
	r.judge(l.Superuser || l.Replication, Problem, "replication right",
		fmt.Sprintf("role %s %s", l.Name, may(l.Superuser || l.Replication, "replicate")), "ALTER ROLE "+name+" REPLICATION; as a superuser")
}

func may(yes bool, what string) string {
	if yes {
		return "may " + what
	}
	return "may not " + what
}

// roles is about the roles that tokens name.
func (r *Report) roles(all []postgres.ExaminedRole, l postgres.ExaminedLogin) {
	for _, role := range all {
		what := "role " + role.Name
		switch {
		case !role.Exists:
			r.add(Warning, what, "there is none, so tokens that name it see nothing", "CREATE ROLE "+quote(role.Name)+" NOLOGIN NOINHERIT;")
		case !role.Open && !l.Superuser:
			r.add(Problem, what, fmt.Sprintf("role %s may not take its place, so policies cannot be asked in its name", l.Name),
				fmt.Sprintf("GRANT %s TO %s;", quote(role.Name), quote(l.Name)))
		default:
			r.add(OK, what, "policies can be asked in its name", "")
		}
	}
}

func (r *Report) publications(all []postgres.ExaminedPublication, settings tutti.Database) {
	what := "publication " + settings.Publication
	at := slices.IndexFunc(all, func(p postgres.ExaminedPublication) bool { return p.Name == settings.Publication })
	if at < 0 {
		r.add(Warning, what, "there is none; the server makes it, empty, when it first reads changes",
			"CREATE PUBLICATION "+quote(settings.Publication)+" FOR TABLE the_tables_that_clients_may_subscribe_to;")
		return
	}
	p := &all[at]
	if len(p.Tables) == 0 {
		r.add(Warning, what, "no table is in it, so nobody can subscribe to changes",
			"ALTER PUBLICATION "+quote(settings.Publication)+" ADD TABLE the_table;")
		return
	}
	r.add(OK, what, "it publishes "+some(p.Tables), "")
	if !p.Insert || !p.Update || !p.Delete {
		r.add(Warning, what, "it leaves out some of insert, update and delete", "ALTER PUBLICATION "+quote(settings.Publication)+
			" SET (publish = 'insert, update, delete');")
	}
}

// some names a few of many.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more tables", strings.Join(names[:few], ", "), len(names)-few)
}

// tooMuch is how much log a slot may keep before the doctor frowns.
const tooMuch = 1 << 30

func (r *Report) slots(all []postgres.ExaminedSlot, ours string, server postgres.ExaminedServer) {
	found := false
	for _, s := range all {
		what := "slot " + s.Name
		kept := fmt.Sprintf("it keeps %s of log", size(s.Retained))
		drop := fmt.Sprintf("SELECT pg_drop_replication_slot('%s');", s.Name)
		found = found || s.Name == ours
		switch {
		case s.WalStatus == "lost" || s.WalStatus == "unreserved":
			r.add(Problem, what, "it is "+s.WalStatus+": log that it needs is gone or about to go", drop+" and raise max_slot_wal_keep_size; the server makes a new one")
		case !s.Active && !s.Temporary && s.Name != ours:
			r.add(Warning, what, "nobody reads it, and "+kept, drop+" if no server is to come back to it")
		case s.Retained > tooMuch:
			r.add(Warning, what, kept, "see why its reader does not keep up; max_slot_wal_keep_size bounds it")
		case s.Active:
			r.add(OK, what, "it is being read, "+kept, "")
		default:
			r.add(OK, what, "nobody reads it now, "+kept, "")
		}
	}
	if !found {
		r.add(OK, "slot "+ours, "there is none: the server makes it for the first client", "")
	}
	r.judge(server.MaxSlotWalKeep >= 0, Warning, "max_slot_wal_keep_size", limitOf(server.MaxSlotWalKeep),
		"ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'; SELECT pg_reload_conf();")
}

func limitOf(bytes int64) string {
	if bytes < 0 {
		return "slots that nobody reads may fill the disk"
	}
	return "slots keep " + size(bytes) + " of log at most"
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%d kB", bytes>>10)
}

// messages is about private channels, replay and messages from SQL.
func (r *Report) messages(e postgres.Examination) {
	if e.Obstacle != nil {
		r.add(Problem, "realtime.messages", e.Obstacle.Cause, e.Obstacle.Cure)
	}
	for _, d := range e.Defects {
		r.add(Warning, "realtime.messages", d.Cause, d.Cure)
	}
	m := e.Messages
	if !m.Exists {
		if e.Obstacle == nil {
			r.add(OK, "realtime.messages", "it is not there yet: the server makes it for the first client", "")
		}
		return
	}
	if len(e.Missing) > 0 {
		r.add(OK, "realtime.messages", "the server will add what is missing: "+some(e.Missing), "")
	}
	r.judge(m.RowSecurity, Problem, "realtime.messages", map[bool]string{true: "row-level security is on", false: "row-level security is off: everybody may do everything on private channels"}[m.RowSecurity],
		"ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;")
	r.judge(len(m.MissingDays) == 0, Warning, "partitions", partitions(m),
		"the server makes them within the hour; look into its log if it does not")
	r.judge(m.SelectPolicies > 0, Warning, "policies to read", fmt.Sprintf("%d for SELECT on realtime.messages", m.SelectPolicies),
		"without one nobody may join a private channel: CREATE POLICY … ON realtime.messages FOR SELECT TO authenticated USING (realtime.topic() = …);")
	r.judge(m.InsertPolicies > 0, Warning, "policies to write", fmt.Sprintf("%d for INSERT on realtime.messages", m.InsertPolicies),
		"without one nobody may send to a private channel: CREATE POLICY … ON realtime.messages FOR INSERT TO authenticated WITH CHECK (realtime.topic() = …);")
}

func partitions(m postgres.ExaminedMessages) string {
	if len(m.MissingDays) == 0 {
		return fmt.Sprintf("there are %d, and none is missing", len(m.Partitions))
	}
	return "there is none for " + strings.Join(m.MissingDays, ", ")
}

// skewed is how far clocks may be apart.
const skewed = 2 * time.Second

func (r *Report) clock(e postgres.Examination) {
	off := e.ClockSkew.Abs() - e.RoundTrip/2
	r.judge(off < skewed, Warning, "clock", fmt.Sprintf("the database's clock is %v from ours", e.ClockSkew.Round(time.Millisecond)),
		"let both machines follow a time server: tokens, replay and partitions depend on it")
	r.judge(e.Server.TimeZone == "UTC" || e.Server.TimeZone == "Etc/UTC" || e.Server.TimeZone == "GMT", Warning, "time zone",
		"the database's time zone is "+e.Server.TimeZone,
		"ALTER DATABASE … SET timezone = 'UTC'; otherwise inserted_at of messages that your SQL sends is not UTC, and their day's partition and replay are off")
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

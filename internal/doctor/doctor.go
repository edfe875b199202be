// Package doctor examines a tenant's database from end to end, and says for each
// thing that the server needs whether it is there, and if not what cures it.
// cmd/tutti prints what it finds. It changes nothing, and owns no goroutine.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// A Status says how bad something is.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it works, and may not for long or not for everything
	Problem Status = "problem" // something does not work
)

// A Finding is what the doctor says of one thing.
type Finding struct {
	Status Status `json:"status"`
	What   string `json:"what"`
	Said   string `json:"said"`
	Cure   string `json:"cure,omitempty"` // SQL where SQL helps
}

// A Report is all findings about a database.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Worst returns the worst status of all findings.
func (r *Report) Worst() Status {
	worst := OK
	for _, f := range r.Findings {
		if f.Status == Problem || f.Status == Warning && worst == OK {
			worst = f.Status
		}
	}
	return worst
}

func (r *Report) add(s Status, what, said, cure string) {
	r.Findings = append(r.Findings, Finding{s, what, said, cure})
}

// judge adds a finding that is fine, or is not.
func (r *Report) judge(fine bool, bad Status, what, said, cure string) {
	if fine {
		r.add(OK, what, said, "")
		return
	}
	r.add(bad, what, said, cure)
}

// Examine examines the database of a tenant; slot is the name of the replication
// slot that the server reads.
func Examine(ctx context.Context, settings tutti.Database, slot string) *Report {
	r := &Report{}
	db, err := postgres.OpenDatabase(settings)
	if err != nil {
		r.add(Problem, "settings", err.Error(), "correct the tenant's settings")
		return r
	}
	defer db.Close()
	e, err := db.Examine(ctx)
	if err != nil {
		r.unreachable(settings, err)
		return r
	}
	r.add(OK, "reachability", fmt.Sprintf("%s answers after %.1f ms", net.JoinHostPort(settings.Host, strconv.Itoa(int(settings.Port))),
		float64(e.RoundTrip.Microseconds())/1000), "")
	r.examined(settings, slot, e)
	return r
}

// examined says what follows from what was found.
func (r *Report) examined(settings tutti.Database, slot string, e postgres.Examination) {
	r.tls(settings, e.Server)
	r.server(e.Server)
	r.headroom(e.Server, settings)
	r.login(e.Login)
	r.roles(e.Roles, e.Login)
	r.publications(e.Publications, settings)
	r.slots(e.Slots, slot, e.Server)
	r.messages(e)
	r.clock(e)
}

// unreachable says why a database cannot be asked anything.
func (r *Report) unreachable(settings tutti.Database, err error) {
	cure := "check db_host and db_port, that PostgreSQL runs, and the network between here and there"
	said := fmt.Sprintf("%s does not answer", net.JoinHostPort(settings.Host, strconv.Itoa(int(settings.Port))))
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		said = answer.Message
		switch answer.Code {
		case "28P01", "28000":
			cure = "check db_user and db_password, and pg_hba.conf"
		case "3D000":
			cure = "check db_name"
		case "53300":
			cure = "close other connections, or ALTER SYSTEM SET max_connections to more and restart PostgreSQL"
		}
	} else if text := err.Error(); strings.Contains(text, "tls") || strings.Contains(text, "TLS") {
		said += " with TLS"
		cure = "let PostgreSQL speak TLS (ssl = on), or set ssl_enforced to false"
		if settings.CA != "" {
			cure += "; its certificate must be signed by one of ssl_ca_cert and name " + settings.Host
		}
	}
	r.add(Problem, "reachability", said, cure)
}

package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Defect is what is wrong with a tenant's database, and what its owner can do
// about it.
type Defect struct {
	Code  string // one of the codes below
	Cause string // a sentence without a full stop
	Cure  string // SQL, or a sentence
	Err   error  // underneath; may be nil
}

// Error returns "Code: cause; cure".
func (d *Defect) Error() string { return d.Code + ": " + d.Cause + "; " + d.Cure }
func (d *Defect) Unwrap() error { return d.Err }

// Codes of defects.
const (
	CreateOnDatabaseMissing = "CreateOnDatabaseMissing" // schema or publication cannot be made
	SchemaRightsMissing     = "SchemaRightsMissing"     // USAGE or CREATE on schema realtime
	MessagesUnusable        = "MessagesUnusable"        // not a table as we know it
	MessagesNotOwned        = "MessagesNotOwned"        // partitions cannot be made
	MessagesRightsMissing   = "MessagesRightsMissing"   // SELECT or INSERT
	SubjectToPolicies       = "SubjectToPolicies"       // our own role is
	PublicationIncomplete   = "PublicationIncomplete"   // and not ours to change
	ObjectNotMade           = "ObjectNotMade"           // anything else that was refused
	RoleMissing             = "RoleMissing"             // of clients
	RoleClosed              = "RoleClosed"              // our role may not become it
	RoleWithoutRights       = "RoleWithoutRights"       // on messages, and we may not grant them
	PoliciesOff             = "PoliciesOff"             // everybody may read every private topic
	ReplayIndexMissing      = "ReplayIndexMissing"      // replay reads more than it need
)

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// obstacle returns the first thing that keeps all of it from working, or nil. It
// says what will fail before it is tried, as PostgreSQL's own words name no cure.
func (s *state) obstacle() *Defect {
	return cmp.Or(s.schemaDefect(), s.messagesDefect(), s.publicationDefect())
}

func (s *state) schemaDefect() *Defect {
	login := quote(s.Login)
	if !s.MayCreateSchema && (!s.Schema || !s.Publication) {
		what := "publication " + MessagesPublication
		if !s.Schema {
			what = "schema realtime"
		}
		return &Defect{
			Code:  CreateOnDatabaseMissing,
			Cause: fmt.Sprintf("role %s may not make %s in database %s", s.Login, what, s.Database),
			Cure:  fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s", quote(s.Database), login),
		}
	}
	if !s.Schema {
		return nil
	}
	create := len(s.MissingDays) > 0 || slices.ContainsFunc(s.missing(), func(s step) bool { return s.here })
	if !s.MayUse || create && !s.MayCreate {
		return &Defect{
			Code:  SchemaRightsMissing,
			Cause: fmt.Sprintf("role %s may not use schema realtime, or not make in it what is missing", s.Login),
			Cure:  "GRANT USAGE, CREATE ON SCHEMA realtime TO " + login,
		}
	}
	return nil
}

// messagesColumns are those without which the table is of an age that we do not
// know.
var messagesColumns = []string{
	"topic text", "extension text", "payload jsonb", "event text", "private boolean",
	"updated_at timestamp without time zone", "inserted_at timestamp without time zone", "id uuid",
}

func (s *state) messagesDefect() *Defect {
	if !s.Messages {
		return nil
	}
	for _, column := range messagesColumns {
		if !s.Partitioned || !slices.Contains(s.Columns, column) {
			return &Defect{
				Code:  MessagesUnusable,
				Cause: "realtime.messages is not partitioned, or has no column " + column,
				Cure:  "let the server that made it finish its migrations, or rename the table",
			}
		}
	}
	login := quote(s.Login)
	change := len(s.MissingDays) > 0 || !slices.Contains(s.Columns, binaryPayload) || !s.Published && s.Publication
	switch {
	case !s.MayReadWrite:
		return &Defect{
			Code:  MessagesRightsMissing,
			Cause: fmt.Sprintf("role %s may not read and write realtime.messages", s.Login),
			Cure:  "GRANT SELECT, INSERT ON realtime.messages TO " + login,
		}
	case change && !s.OwnsMessages:
		return &Defect{
			Code:  MessagesNotOwned,
			Cause: fmt.Sprintf("realtime.messages belongs to %s, and role %s may not add partitions to it", s.Owner, s.Login),
			Cure:  fmt.Sprintf("GRANT %s TO %s, and ALTER ROLE %s INHERIT", quote(s.Owner), login, login),
		}
	case s.Subject:
		return &Defect{
			Code:  SubjectToPolicies,
			Cause: fmt.Sprintf("role %s is subject to the policies on realtime.messages, so it cannot ask about those of others", s.Login),
			Cure:  fmt.Sprintf("ALTER ROLE %s BYPASSRLS, or GRANT %s TO %s and ALTER TABLE realtime.messages NO FORCE ROW LEVEL SECURITY", login, quote(s.Owner), login),
		}
	}
	return nil
}

func (s *state) publicationDefect() *Defect {
	if !s.Publication || s.PublishesInserts && (s.Published || s.OwnsPublication) {
		return nil
	}
	cure := "ALTER PUBLICATION " + MessagesPublication
	if s.PublishesInserts {
		cure += " ADD TABLE realtime.messages"
	} else {
		cure += " SET (publish = 'insert')"
	}
	return &Defect{
		Code:  PublicationIncomplete,
		Cause: "publication " + MessagesPublication + " does not publish what is inserted into realtime.messages",
		Cure:  cure,
	}
}

// defects returns what keeps some from working.
func (s *state) defects() (all []*Defect) {
	login := quote(s.Login)
	for _, role := range s.MissingRoles {
		all = append(all, &Defect{
			Code:  RoleMissing,
			Cause: fmt.Sprintf("there is no role %s, so whoever has it in a token may do nothing in private channels", role),
			Cure:  fmt.Sprintf("CREATE ROLE %s NOLOGIN NOINHERIT%s; GRANT %s TO %s", role, bypass(role), role, login),
		})
	}
	for _, role := range s.ClosedRoles {
		all = append(all, &Defect{
			Code:  RoleClosed,
			Cause: fmt.Sprintf("role %s may not become %s, so it cannot ask what %s may do", s.Login, role, role),
			Cure:  fmt.Sprintf("GRANT %s TO %s", quote(role), login),
		})
	}
	if len(s.UngrantedRoles) > 0 {
		roles := strings.Join(s.UngrantedRoles, ", ")
		all = append(all, &Defect{
			Code:  RoleWithoutRights,
			Cause: "roles without any right on realtime.messages, which comes before policies: " + roles,
			Cure:  fmt.Sprintf("GRANT USAGE ON SCHEMA realtime TO %s; GRANT SELECT, INSERT, UPDATE ON realtime.messages TO %s", roles, roles),
		})
	}
	if s.Messages && !s.RowSecurity {
		all = append(all, &Defect{
			Code:  PoliciesOff,
			Cause: "row-level security is off on realtime.messages: everybody may use every private channel",
			Cure:  "ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY",
		})
	}
	if s.Messages && !s.ReplayIndex {
		// Making it would keep writers out for as long as it takes.
		all = append(all, &Defect{
			Code:  ReplayIndexMissing,
			Cause: "realtime.messages has no index that begins with inserted_at, so replay reads whole days",
			Cure: "CREATE INDEX messages_inserted_at_topic_index ON realtime.messages (inserted_at DESC, topic) " +
				"WHERE extension = 'broadcast' AND private IS TRUE",
		})
	}
	return all
}

func bypass(role string) string {
	if role == "service_role" {
		return " BYPASSRLS"
	}
	return ""
}

// refused returns why a step was, a *Defect where it is a matter of rights.
func (s *state) refused(step step, err error) error {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || answer.Code != "42501" {
		return fmt.Errorf("make %s: %w", step.makes, err)
	}
	return &Defect{
		Code:  ObjectNotMade,
		Cause: fmt.Sprintf("role %s may not make %s (%s)", s.Login, step.makes, answer.Message),
		Cure:  fmt.Sprintf("let a superuser run ALTER ROLE %s SUPERUSER, or make it", quote(s.Login)),
		Err:   err,
	}
}

package wal

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// A Failure says what keeps a feed from its changes, and what helps.
type Failure struct {
	Code  string // one of the codes below
	Cause string
	Cure  string
	Err   error // underneath; may be nil
}

func (f *Failure) Error() string { return f.Code + ": " + f.Cause + "; " + f.Cure }
func (f *Failure) Unwrap() error { return f.Err }

// ErrOutranked is beneath a ReplicationSlotBeingUsed by a feed of a later term.
var ErrOutranked = errors.New("a later term goes first")

// Codes of failures.
const (
	WalLevelNotLogical         = "WalLevelNotLogical"
	ReplicationNotPermitted    = "ReplicationNotPermitted"    // the role may not
	ReplicationSlotsExhausted  = "ReplicationSlotsExhausted"  // max_replication_slots
	WalSendersExhausted        = "WalSendersExhausted"        // max_wal_senders
	ConnectionsExhausted       = "ConnectionsExhausted"       // max_connections
	ReplicationSlotBeingUsed   = "ReplicationSlotBeingUsed"   // by another connection
	ReplicationSlotNameTaken   = "ReplicationSlotNameTaken"   // by another database or plugin
	ReplicationSlotLost        = "ReplicationSlotLost"        // gone or invalidated
	PublicationMissing         = "PublicationMissing"         // and not ours to create
	DatabaseConnectionRefused  = "DatabaseConnectionRefused"  // nobody listens
	DatabaseAuthFailed         = "DatabaseAuthFailed"         // password, role or pg_hba.conf
	DatabaseNotFound           = "DatabaseNotFound"           // the server has no such database
	DatabaseUnavailable        = "DatabaseUnavailable"        // starting, stopping, or the network
	ReplicationConnectionError = "ReplicationConnectionError" // anything else
)

// A place is what a failure is about.
type place struct {
	config *pgconn.Config
	slot   string
}

// SQLSTATEs that mean the same wherever they come from.
const (
	insufficientPrivilege = "42501"
	tooManyConnections    = "53300"
	configurationLimit    = "53400"
	objectInUse           = "55006"
	notInPrerequisite     = "55000"
	undefinedObject       = "42704"
	duplicateObject       = "42710"
)

// failure returns err as a Failure.
func (p place) failure(err error) *Failure {
	if known, ok := errors.AsType[*Failure](err); ok {
		return known
	}
	f := &Failure{Err: err}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		f.Code, f.Cause, f.Cure = p.answer(answer)
		return f
	}
	at := net.JoinHostPort(p.config.Host, fmt.Sprint(p.config.Port))
	_, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Code = DatabaseConnectionRefused
		f.Cause = "nothing listens at " + at
		f.Cure = "check the tenant's db_host and db_port, and that PostgreSQL runs"
	case isNetwork, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, errSilent), errors.Is(err, errEnded):
		f.Code = DatabaseUnavailable
		f.Cause = fmt.Sprintf("no connection to %s (%v)", at, err)
		f.Cure = "it is tried again; check the network between here and there if this stays"
	default:
		f.Code = ReplicationConnectionError
		f.Cause = err.Error()
		f.Cure = "it is tried again"
	}
	return f
}

// isAnswer reports whether an error is the server's answer, after which the
// connection goes on.
func isAnswer(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && answer.SeverityUnlocalized != "FATAL"
}

// answer explains an error of the server's.
func (p place) answer(e *pgconn.PgError) (code, cause, cure string) {
	c := p.config
	switch e.Code {
	case "28P01", "28000":
		if e.Routine == "ClientAuthentication" { // no line of pg_hba.conf, or one with reject
			return DatabaseAuthFailed, e.Message,
				fmt.Sprintf("let pg_hba.conf admit %s to database %s from here, and SELECT pg_reload_conf()", c.User, c.Database)
		}
		return DatabaseAuthFailed, e.Message, fmt.Sprintf("check the password of %s, and pg_hba.conf", c.User)
	case "3D000":
		return DatabaseNotFound, e.Message, "check the tenant's db_name"
	case insufficientPrivilege:
		return ReplicationNotPermitted,
			fmt.Sprintf("role %s may not replicate (%s)", c.User, e.Message),
			fmt.Sprintf("run ALTER ROLE %s REPLICATION; as a superuser", quote(c.User))
	case configurationLimit:
		return ReplicationSlotsExhausted, e.Message,
			"drop slots that nobody uses (SELECT * FROM pg_replication_slots), or ALTER SYSTEM SET max_replication_slots " +
				"to more and restart PostgreSQL"
	case tooManyConnections:
		if strings.Contains(e.Message, "max_wal_senders") {
			return WalSendersExhausted, e.Message, "ALTER SYSTEM SET max_wal_senders to more and restart PostgreSQL"
		}
		return ConnectionsExhausted, e.Message, "close other connections, or ALTER SYSTEM SET max_connections to more"
	case objectInUse, duplicateObject:
		return ReplicationSlotBeingUsed, e.Message, inUseCure
	case undefinedObject:
		if strings.Contains(e.Routine+e.Message, "ublication") {
			return PublicationMissing, e.Message, "create it"
		}
		return ReplicationSlotLost, e.Message, lostCure
	case notInPrerequisite:
		if e.Routine == "CheckMyDatabase" {
			return DatabaseUnavailable, e.Message, fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS true", quote(c.Database))
		}
		if strings.Contains(e.Message, "max_replication_slots") { // there may be none at all
			return ReplicationSlotsExhausted, e.Message, "ALTER SYSTEM SET max_replication_slots to more and restart PostgreSQL"
		}
		return ReplicationSlotLost, e.Message, lostCure
	}
	if slices.Contains([]string{"57P01", "57P02", "57P03"}, e.Code) {
		return DatabaseUnavailable, e.Message, "it is tried again until PostgreSQL is back"
	}
	return ReplicationConnectionError, e.Message + " (SQLSTATE " + e.Code + ")", "it is tried again"
}

const (
	inUseCure = "stop the other process, or give one of the two another SLOT_NAME_SUFFIX"
	lostCure  = "a new one is created; raise max_slot_wal_keep_size if this happens again"
)

// quote returns a name as SQL's identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal returns a string as SQL's.
func literal(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

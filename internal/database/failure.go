package database

import (
	"errors"
	"fmt"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

func refuse(code, reason string, err error) *postgres.Refusal {
	return &postgres.Refusal{Client: &tutti.Error{Code: code, Reason: reason}, Code: code, Err: err}
}

func wrongSettings(err error) *postgres.Refusal {
	return refuse(tutti.DatabaseSettingsInvalid, err.Error(), err)
}

func crowded(err error) *postgres.Refusal {
	return refuse(tutti.IncreaseConnectionPool, "Please increase your connection pool size", err)
}

func unreachable(err error) *postgres.Refusal {
	return refuse(tutti.UnableToConnectToProject, "Realtime was unable to connect to the project database", err)
}

// unprepared returns the refusal of questions to a database that could not be
// prepared. What is wrong with it goes into the log, as do the names of its
// roles; whoever may open a socket need not learn them.
func unprepared(err error) *postgres.Refusal {
	if defect, ok := errors.AsType[*postgres.Defect](err); ok {
		return refuse(tutti.DatabaseNotPrepared, "The project database cannot be used for private channels ("+
			defect.Code+"); the log of the server says what to do", err)
	}
	switch sqlState(err) {
	case "53300":
		return refuse(tutti.DatabaseLackOfConnections, "Database can't accept more connections, Realtime won't connect", err)
	case "28000", "28P01", "3D000": // the login, its password or the database is wrong
		return unreachable(err)
	}
	if errors.Is(err, tutti.ErrUnavailable) {
		return unreachable(err)
	}
	return refuse(tutti.DatabaseNotPrepared,
		"The project database could not be prepared for private channels; the log of the server says why", err)
}

// told returns what an asker is told for an error.
func (k *key) told(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoDatabase) && k.kind != replay:
		return nil // and nothing is allowed
	case errors.Is(err, errTenantGone):
		return refuse(tutti.TenantNotFound, "Tenant with the given ID does not exist", err)
	case errors.Is(err, errNotRunning):
		return refuse(tutti.RealtimeRestarting, "Realtime is restarting, please standby", err)
	case k.kind == replay:
		return refuse(tutti.UnableToReplayMessages, "Realtime was unable to replay messages", err)
	}
	if refusal, ok := errors.AsType[*postgres.Refusal](err); ok {
		return refusal
	}
	return unreachable(fmt.Errorf("no answer: %w", err))
}

// sqlState returns PostgreSQL's code of an error, "" when it is not PostgreSQL's.
func sqlState(err error) string {
	answer, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	if !ok {
		return ""
	}
	return answer.SQLState()
}

// lostObjects reports whether an error may mean that what was prepared is gone:
// somebody dropped the schema or the table, as a reset of a development database
// does.
func lostObjects(err error) bool {
	code := sqlState(err)
	return code == "42P01" || code == "3F000"
}

package wal

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Publication is the one that users put tables in, and that a feed creates,
// empty, when it is missing.
const Publication = "supabase_realtime"

// publish makes sure that the publications exist. They must, before the slot
// does: the server looks each up as of the change that it decodes. Without it a
// server before PostgreSQL 18 goes no further; since then it leaves the change out.
func publish(ctx context.Context, conn *pgconn.PgConn, publications []string) error {
	for _, name := range publications {
		row, err := queryRow(ctx, conn, "SELECT 1 FROM pg_publication WHERE pubname = "+literal(name))
		if err != nil {
			return fmt.Errorf("look for publication %s: %w", name, err)
		}
		if row != nil {
			continue
		}
		create := "CREATE PUBLICATION " + quote(name)
		if name != Publication {
			return publicationMissing(name, create, nil)
		}
		_, err = conn.Exec(ctx, create).ReadAll()
		answer, ok := errors.AsType[*pgconn.PgError](err)
		switch {
		case ok && answer.Code == duplicateObject: // another node was faster
		case ok:
			return publicationMissing(name, create, answer)
		case err != nil:
			return fmt.Errorf("create publication %s: %w", name, err)
		}
	}
	return nil
}

func publicationMissing(name, create string, answer *pgconn.PgError) *Failure {
	f := &Failure{
		Code:  PublicationMissing,
		Cause: "there is no publication " + name,
		Cure:  "run " + create + "; with its tables",
	}
	if answer != nil {
		f.Cause += ", and it cannot be created (" + answer.Message + ")"
		f.Err = answer
	}
	return f
}

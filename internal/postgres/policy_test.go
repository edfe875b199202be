package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
)

// refusedWith reports whether an error is a refusal whose code for the log is
// code, and that says something to the client.
func refusedWith(err error, code string) bool {
	r, ok := errors.AsType[*Refusal](err)
	client, also := errors.AsType[*tutti.Error](err)
	return ok && also && r.Code == code && client.Reason != "" && (client.Code == code || client.Code == tutti.Unauthorized)
}

// ask compares what all three questions say, and looks that nothing stays.
func (p *messagesPlace) ask(t testing.TB, a Asker, wantRead, wantWrite Permission) {
	t.Helper()
	before := messagesValue[int](t, p, "SELECT count(*) FROM realtime.messages")
	read, err := p.MayRead(t.Context(), a, true)
	if read != wantRead || err != nil {
		t.Errorf("%s may read %v (%v), not %v", a.Role, read, err, wantRead)
	}
	write, err := p.MayWrite(t.Context(), a, true)
	if write != wantWrite || err != nil {
		t.Errorf("%s may write %v (%v), not %v", a.Role, write, err, wantWrite)
	}
	read, write, err = p.MayUse(t.Context(), a, true)
	if read != wantRead || write != wantWrite || err != nil {
		t.Errorf("%s may read %v and write %v (%v) in one", a.Role, read, write, err)
	}
	read, write, err = p.MayUse(t.Context(), a, false)
	wantRead.Presence, wantWrite.Presence = false, false
	if read != wantRead || write != wantWrite || err != nil {
		t.Errorf("without presence %s may read %v and write %v (%v)", a.Role, read, write, err)
	}
	if after := messagesValue[int](t, p, "SELECT count(*) FROM realtime.messages"); after != before {
		t.Errorf("%d messages were left behind", after-before)
	}
}

const (
	userA = "aaaaaaaa-0000-4000-8000-000000000000"
	userB = "bbbbbbbb-0000-4000-8000-000000000000"
)

func claimsOf(role, subject string) []byte {
	if subject == "" {
		return fmt.Appendf(nil, `{"role":%q,"team":"red"}`, role)
	}
	return fmt.Appendf(nil, `{"role":%q,"sub":%q,"team":"red"}`, role, subject)
}

// plain does what a user's SQL would do, on a connection of its own.
func (p *messagesPlace) plain(t *testing.T, a Asker, extension string) (read, write bool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	asker := fmt.Sprintf(`SET LOCAL realtime.topic = '%s'; SET LOCAL request.jwt.claims = '%s'; SET LOCAL request.headers = '%s'; SET LOCAL ROLE "%s";`,
		a.Topic, a.Claims, a.Headers, a.Role)
	insert := fmt.Sprintf("INSERT INTO realtime.messages (topic, extension) VALUES ('%s', '%s');", a.Topic, extension)
	results, err := conn.PgConn().Exec(t.Context(), "BEGIN;"+insert+asker+"SELECT count(*) FROM realtime.messages").ReadAll()
	read = err == nil && string(results[len(results)-1].Rows[0][0]) == "1"
	conn.PgConn().Exec(t.Context(), "ROLLBACK").ReadAll()
	_, err = conn.PgConn().Exec(t.Context(), "BEGIN;"+asker+insert).ReadAll()
	conn.PgConn().Exec(t.Context(), "ROLLBACK").ReadAll()
	return read, err == nil
}

func TestPoliciesDecideAsForPlainSQL(t *testing.T) {
	t.Parallel()
	askers := []Asker{
		{Topic: "room", Role: "anon", Claims: claimsOf("anon", "")},
		{Topic: "room", Role: "authenticated", Subject: userA, Claims: claimsOf("authenticated", userA)},
		{Topic: "room", Role: "authenticated", Subject: userB, Claims: claimsOf("authenticated", userB), Headers: []byte(`{"x-team":"blue"}`)},
		{Topic: userA, Role: "authenticated", Subject: userA, Claims: claimsOf("authenticated", userA), Headers: []byte(`{"x-team":"red"}`)},
		{Topic: "room", Role: "service_role", Claims: claimsOf("service_role", "")},
	}
	for name, policies := range map[string]string{
		"none":                               "",
		"everything for everyone":            "FOR ALL USING (true)",
		"reading only":                       "FOR SELECT TO authenticated USING (true)",
		"writing only":                       "FOR INSERT TO anon, authenticated WITH CHECK (true)",
		"broadcast only":                     "FOR ALL TO authenticated USING (extension = 'broadcast')",
		"presence only":                      "FOR ALL TO authenticated USING (extension = 'presence')",
		"the topic of the row":               "FOR ALL USING (topic = 'room')",
		"the topic asked about":              "FOR ALL USING (realtime.topic() = auth.uid()::text)",
		"a user":                             "FOR ALL USING (auth.uid() = '" + userA + "')",
		"a role in the claims":               "FOR ALL USING (auth.role() = 'authenticated')",
		"another claim":                      "FOR SELECT USING (auth.jwt() ->> 'team' = 'red')",
		"a header":                           "FOR ALL USING (current_setting('request.headers')::json ->> 'x-team' = auth.jwt() ->> 'team')",
		"private rows, which probes are not": "FOR ALL USING (private)",
		"a table":                            "FOR ALL TO authenticated USING (EXISTS (SELECT FROM members m WHERE m.room = topic AND m.id = auth.uid()))",
		"one for reading, one for writing": "FOR SELECT TO authenticated USING (extension = 'presence'); " +
			"CREATE POLICY another ON realtime.messages FOR INSERT TO authenticated WITH CHECK (extension = 'broadcast')",
		"messages that exist": "FOR SELECT TO authenticated USING (true); " +
			"CREATE POLICY another ON realtime.messages FOR INSERT TO authenticated WITH CHECK (NOT EXISTS (SELECT FROM realtime.messages m WHERE m.topic = 'room'))",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := preparedMessages(t)
			_, p.Database = p.as(t, "", "GRANT anon, authenticated, service_role TO LOGIN; ALTER ROLE LOGIN BYPASSRLS; "+
				"GRANT USAGE ON SCHEMA realtime TO LOGIN; GRANT SELECT, INSERT ON realtime.messages TO LOGIN")
			p.exec(t, "CREATE TABLE members (room text, id uuid); INSERT INTO members VALUES ('room', '"+userB+"'); GRANT SELECT ON members TO authenticated")
			if policies != "" {
				p.exec(t, "CREATE POLICY one ON realtime.messages "+policies)
			}
			for _, a := range askers {
				if a.Headers == nil {
					a.Headers = []byte("{}")
				}
				var read, write Permission
				read.Broadcast, write.Broadcast = p.plain(t, a, "broadcast")
				read.Presence, write.Presence = p.plain(t, a, "presence")
				p.ask(t, a, read, write)
			}
		})
	}
}

func TestPoliciesSeeTheAsker(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, `CREATE POLICY all_of_it ON realtime.messages USING (
		realtime.topic() = 'a"''\ topic' AND topic = realtime.topic() AND current_user = 'authenticated'
		AND current_setting('request.jwt.claim.sub') = 'me' AND current_setting('request.jwt.claim.role') = 'authenticated'
		AND current_setting('request.jwt.claims')::jsonb = '{"deep":{"er":[1]}}' AND current_setting('request.headers')::jsonb = '{"x-a":"b"}'
		AND event IS NULL AND payload IS NULL AND NOT private AND inserted_at BETWEEN now() - interval '1 hour' AND now() + interval '1 hour')`)
	a := Asker{
		Topic: `a"'\ topic`, Role: "authenticated", Subject: "me", Claims: []byte(`{"deep":{"er":[1]}}`), Headers: []byte(`{"x-a":"b"}`),
	}
	p.ask(t, a, Permission{true, true}, Permission{true, true})
	a.Subject = ""
	p.ask(t, a, Permission{}, Permission{})
}

func TestNobodyGetsOurOwnRole(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	for _, role := range []string{"none", "", "nobody_there", "NONE", "default", `"`, "a\x00b", "\xff"} {
		for name, ask := range map[string]func(a Asker) (Permission, error){
			"read":  func(a Asker) (Permission, error) { return p.MayRead(t.Context(), a, true) },
			"write": func(a Asker) (Permission, error) { return p.MayWrite(t.Context(), a, true) },
		} {
			got, err := ask(Asker{Topic: "room", Role: role})
			if got != (Permission{}) || !refusedWith(err, tutti.RlsPolicyError) {
				t.Errorf("role %q may %s %v: %v", role, name, got, err)
			}
			if client, _ := errors.AsType[*tutti.Error](err); name == "read" &&
				client.Error() != "Unauthorized: You do not have permissions to read from this Channel topic: room" {
				t.Errorf("role %q is told %v", role, client)
			}
		}
	}
	p.ask(t, Asker{Topic: "room", Role: "authenticated"}, Permission{}, Permission{})
}

func TestARaisingPolicyDenies(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, `CREATE FUNCTION bad(extension text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
		IF extension = 'presence' THEN RAISE EXCEPTION 'the policy is broken' USING ERRCODE = 'P0042'; END IF; RETURN true; END $$;
		CREATE POLICY one ON realtime.messages USING (bad(extension))`)
	a := Asker{Topic: "room", Role: "anon"}
	_, readErr := p.MayRead(t.Context(), a, true)
	_, writeErr := p.MayWrite(t.Context(), a, true)
	_, _, bothErr := p.MayUse(t.Context(), a, true)
	for _, err := range []error{readErr, writeErr, bothErr} {
		if cause, ok := errors.AsType[*pgconn.PgError](err); !refusedWith(err, tutti.RlsPolicyError) || !ok || cause.Code != "P0042" {
			t.Errorf("it says %v", err)
		}
	}
	read, write, err := p.MayUse(t.Context(), a, false)
	if !read.Broadcast || !write.Broadcast || err != nil {
		t.Errorf("where it does not raise: %v %v %v", read, write, err)
	}
	if n := messagesValue[int](t, p, "SELECT count(*) FROM realtime.messages"); n != 0 {
		t.Errorf("%d messages were left behind", n)
	}
}

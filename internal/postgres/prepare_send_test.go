package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tell runs statements in one transaction and returns their warnings.
func (p *messagesPlace) tell(t *testing.T, statements string) (warnings string, err error) {
	t.Helper()
	config, parseErr := pgx.ParseConfig(p.dsn)
	if parseErr != nil {
		t.Fatal(parseErr)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { warnings += n.Severity + ": " + n.Message }
	conn, connErr := pgx.ConnectConfig(t.Context(), config)
	if connErr != nil {
		t.Fatal(connErr)
	}
	defer conn.Close(t.Context())
	_, err = conn.PgConn().Exec(t.Context(), statements).ReadAll()
	return warnings, err
}

func TestSendStoresOrWarns(t *testing.T) {
	t.Parallel()
	const warning = "WARNING: WarnSendingBroadcastMessage: "
	for name, tt := range map[string]struct {
		sql     string
		warning string // its beginning
		stored  string // what there is after, "" if nothing
	}{
		"an object gets the id of the row": {
			sql:    `SELECT realtime.send('{"a": 1}', 'e', 'room')`,
			stored: `room broadcast e true {"a": 1, "id": "ID"}`,
		},
		"an id of its own stays": {
			sql:    `SELECT realtime.send('{"id": null}', 'e', 'room', false)`,
			stored: `room broadcast e false {"id": null}`,
		},
		"an array is lost":           {sql: `SELECT realtime.send('[1]', 'e', 'room')`, warning: `path element at position 1 is not an integer: "id"`},
		"a number is lost":           {sql: `SELECT realtime.send('1', 'e', 'room')`, warning: `cannot set path in scalar`},
		"without a topic it is lost": {sql: `SELECT realtime.send('{}', 'e', NULL)`, warning: `null value in column "topic"`},
		"NULL is stored":             {sql: `SELECT realtime.send(NULL, NULL, 'room', NULL)`, stored: `room broadcast - - -`},
		"whoever may not is warned, and goes on": {
			sql:     `SET ROLE anon; SELECT realtime.send('{}', 'e', 'room'); RESET ROLE; SELECT realtime.send('{"id": 1}', 'e', 'other')`,
			warning: `new row violates row-level security policy`, stored: `other broadcast e true {"id": 1}`,
		},
		"a policy sees the topic": {
			sql: `CREATE POLICY mine ON realtime.messages FOR INSERT WITH CHECK (realtime.topic() = 'mine'); SET ROLE anon;
				SELECT realtime.send('{"id": 1}', 'e', 'mine')`,
			stored: `mine broadcast e true {"id": 1}`,
		},
		"the topic stays for the transaction": {
			sql:    `SELECT realtime.send('{}', 'e', 'mine'); SELECT realtime.send(jsonb_build_object('id', realtime.topic()), 'e', 'room') FROM realtime.messages`,
			stored: `mine broadcast e true {"id": "ID"}; room broadcast e true {"id": "mine"}`,
		},
		"without a partition it is lost": {sql: dropPartitions + `; SELECT realtime.send('{}', 'e', 'room')`, warning: `no partition of relation "messages" found for row`},
		"bytes":                          {sql: `SELECT realtime.send_binary('\x00ff', 'e', 'room')`, stored: `room broadcast e true \x00ff`},
		"bytes without a topic are lost": {sql: `SELECT realtime.send_binary('\x00ff', 'e', NULL)`, warning: `null value in column "topic"`},
		"no bytes":                       {sql: `SELECT realtime.send_binary(NULL, 'e', 'room', false)`, stored: `room broadcast e false -`},
		"a literal of no type is JSON":   {sql: `SELECT realtime.send('{"id": 1}', 'e', 'room')`, stored: `room broadcast e true {"id": 1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := preparedMessages(t)
			warnings, err := p.tell(t, tt.sql)
			if err != nil {
				t.Fatal(err)
			}
			if tt.warning == "" && warnings != "" || tt.warning != "" && !strings.HasPrefix(warnings, warning+tt.warning) {
				t.Errorf("it warns %q", warnings)
			}
			stored := messagesValue[string](t, p, `SELECT coalesce(string_agg(concat_ws(' ', topic, extension, coalesce(event, '-'), coalesce(private::text, '-'),
				coalesce(replace(payload::text, id::text, 'ID'), binary_payload::text, '-')), '; ' ORDER BY topic), '') FROM realtime.messages`)
			if stored != tt.stored {
				t.Errorf("stored is %q, not %q", stored, tt.stored)
			}
		})
	}
}

const triggers = `
CREATE TABLE public.odd (id int PRIMARY KEY, b bytea, c char(3), f float8);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	PERFORM realtime.broadcast_changes('odd:' || coalesce(NEW.id, OLD.id), TG_OP, TG_OP, TG_TABLE_NAME, TG_TABLE_SCHEMA, NEW, OLD);
	RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON public.odd FOR EACH ROW EXECUTE FUNCTION tell();
CREATE FUNCTION tell_wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	PERFORM realtime.broadcast_changes('t', TG_OP, TG_OP, TG_TABLE_NAME, TG_TABLE_SCHEMA, NEW, OLD, TG_LEVEL);
	RETURN NULL; END $$;
CREATE TABLE public.whole (id int);
CREATE TRIGGER tell AFTER INSERT ON public.whole FOR EACH STATEMENT EXECUTE FUNCTION tell_wrong();
CREATE TRIGGER tell_too AFTER TRUNCATE ON public.odd FOR EACH STATEMENT EXECUTE FUNCTION tell();
`

func TestBroadcastChanges(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, triggers)
	p.exec(t, `INSERT INTO public.odd VALUES (1, '\xff', 'a', 'NaN'); UPDATE public.odd SET c = 'b'; DELETE FROM public.odd`)
	const one, two = `{"b": "\\xff", "c": "a  ", "f": "NaN", "id": 1}`, `{"b": "\\xff", "c": "b  ", "f": "NaN", "id": 1}`
	for operation, want := range map[string]string{
		"INSERT": `{"id": "ID", "table": "odd", "record": ` + one + `, "schema": "public", "operation": "INSERT", "old_record": null}`,
		"UPDATE": `{"id": "ID", "table": "odd", "record": ` + two + `, "schema": "public", "operation": "UPDATE", "old_record": ` + one + `}`,
		"DELETE": `{"id": "ID", "table": "odd", "record": null, "schema": "public", "operation": "DELETE", "old_record": ` + two + `}`,
	} {
		got := messagesValue[string](t, p, `SELECT replace(payload::text, id::text, 'ID') FROM realtime.messages
			WHERE event = $1 AND topic = 'odd:1' AND private AND extension = 'broadcast'`, operation)
		if got != want {
			t.Errorf("%s sends %s", operation, got)
		}
	}
}

func TestBroadcastChangesOfNoRowFails(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, triggers)
	const each, odd = "Failed to process the row: function can only be triggered for each row, not for each statement",
		"Failed to process the row: Unexpected operation type: "
	for sql, want := range map[string]string{
		"INSERT INTO public.whole VALUES (1)": each,
		"TRUNCATE public.odd":                 odd + "TRUNCATE",
		"SELECT realtime.broadcast_changes('t', 'e', 'UPSERT', 'a', 'b', ROW(1), ROW(2))": odd + "UPSERT",
	} {
		if _, err := p.tell(t, sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if n := messagesValue[int](t, p, "SELECT count(*) FROM public.whole"); n != 0 {
		t.Error("the statement went through")
	}
	// What cannot be stored only warns, as in send.
	warnings, err := p.tell(t, dropPartitions+"; INSERT INTO public.odd VALUES (1)")
	if err != nil || !strings.Contains(warnings, "WarnSendingBroadcastMessage: no partition") {
		t.Errorf("%q %v", warnings, err)
	}
}

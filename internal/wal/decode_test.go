package wal

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

var update = flag.Bool("update", false, "record the traces of testdata anew, from a real PostgreSQL")

// traces are what a server sent, by file in testdata. Each line of the .hex file
// is a message; the same line of the .txt file is what it means.
var traces = map[string]struct {
	version int
	options string
}{
	"version1": {1, ""},
	"version2": {2, ", 'streaming', 'on'"},
	"version3": {3, ", 'streaming', 'on'"},
}

const recorded = `
	CREATE TYPE mood AS ENUM ('sad', 'glad');
	CREATE DOMAIN years AS int;
	CREATE TABLE p (id int PRIMARY KEY, t text, m mood, y years);
	CREATE TABLE f (a int, b text);
	ALTER TABLE f REPLICA IDENTITY FULL;
	ALTER TABLE p ALTER t SET STORAGE EXTERNAL;
	CREATE PUBLICATION trace FOR TABLE p, f;
	SELECT 1 FROM pg_create_logical_replication_slot('SLOT', 'pgoutput');
	INSERT INTO p VALUES (1, 'a', 'glad', 7), (2, NULL, NULL, NULL), (3, repeat('x', 2500), 'sad', 1);
	UPDATE p SET t = 'b' WHERE id = 1;
	UPDATE p SET id = 30 WHERE id = 3;
	DELETE FROM p WHERE id = 2;
	INSERT INTO f VALUES (1, 'b');
	UPDATE f SET a = 2;
	DELETE FROM f;
	SELECT pg_logical_emit_message(true, 'prefix', 'content');
	SELECT pg_replication_origin_create('ORIGIN'), pg_replication_origin_session_setup('ORIGIN');
	BEGIN; SELECT pg_replication_origin_xact_setup('0/1234', '2026-01-02'); INSERT INTO f VALUES (2, 'o'); COMMIT;
	SELECT pg_replication_origin_session_reset(), pg_replication_origin_drop('ORIGIN');
	TRUNCATE p, f RESTART IDENTITY CASCADE`

// In versions with streaming, a transaction that is large for the little memory
// that the recorder gives the server. What makes it large is not published, as
// traces should be short.
const recordedStreams = `
	CREATE TABLE bulk (t text);
	BEGIN; INSERT INTO p VALUES (4, 's'); INSERT INTO bulk SELECT repeat('x', 1000) FROM generate_series(1, 100);
	SAVEPOINT s; INSERT INTO p VALUES (5, 's'); INSERT INTO bulk SELECT repeat('x', 1000) FROM generate_series(1, 100); ROLLBACK TO s;
	INSERT INTO p VALUES (6, 's'); TRUNCATE f; COMMIT`

func record(t *testing.T, version int, options string) (messages [][]byte) {
	t.Helper()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	slot := slotOf(t, dsn)
	script := recorded
	if version > 1 {
		script += ";" + recordedStreams
	}
	script = strings.ReplaceAll(strings.ReplaceAll(script, "SLOT", slot), "ORIGIN", slot)
	psql(t, conn, "SET logical_decoding_work_mem = '64kB'")
	for sql := range strings.SplitSeq(script, ";") {
		psql(t, conn, sql)
	}
	rows, err := conn.Query(t.Context(), fmt.Sprintf(`SELECT data FROM pg_logical_slot_get_binary_changes('%s', NULL, NULL,
		'proto_version', '%d', 'publication_names', 'trace', 'messages', 'true'%s)`, slot, version, options))
	if err != nil {
		t.Fatal(err)
	}
	if messages, err = pgx.CollectRows(rows, pgx.RowTo[[]byte]); err != nil {
		t.Fatal(err)
	}
	psql(t, conn, "SELECT pg_drop_replication_slot('"+slot+"')")
	return messages
}

func readTrace(t testing.TB, name string) (messages [][]byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		m, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages
}

// explain decodes messages, one line each.
func explain(t *testing.T, version int, messages [][]byte) string {
	t.Helper()
	d := decoder{version: version}
	var b strings.Builder
	for _, data := range messages {
		m, err := d.decode(data)
		if err != nil {
			t.Errorf("%x: %v", data, err)
		}
		line := fmt.Sprintf("%T%+v", m, m)
		if len(line) > 600 {
			line = line[:600] + "..."
		}
		fmt.Fprintln(&b, strings.TrimPrefix(line, "wal."))
	}
	return b.String()
}

func TestTraces(t *testing.T) {
	t.Parallel()
	for name, tt := range traces {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				messages := record(t, tt.version, tt.options)
				var b strings.Builder
				for _, m := range messages {
					fmt.Fprintf(&b, "%x\n", m)
				}
				for file, text := range map[string]string{
					filepath.Join("testdata", name+".hex"): b.String(), golden: explain(t, tt.version, messages),
				} {
					if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got := explain(t, tt.version, readTrace(t, name)); got != string(want) {
				t.Errorf("decoded to\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What a server sends today, still means what the traces say.
func TestTracesAreWhatTheServerSends(t *testing.T) {
	t.Parallel()
	for name, tt := range traces {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got, want strings.Builder
			for _, m := range record(t, tt.version, tt.options) {
				got.WriteByte(m[0])
			}
			for _, m := range readTrace(t, name) {
				want.WriteByte(m[0])
			}
			if got.String() != want.String() {
				t.Errorf("kinds %s, want %s", got.String(), want.String())
			}
		})
	}
}

func TestMessagesOfVersion4(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		version int
		in      string // hex
		want    string // "" is refused
	}{
		"an abort says when": {
			4, "41 00000001 00000002 0000000000000003 0000000000000000",
			"wal.streamAbort{XID:1 SubXID:2 LSN:3 Aborted:2000-01-01 00:00:00 +0000 UTC}",
		},
		"an abort of a stream that is not parallel does not": {
			4, "41 00000001 00000002", "wal.streamAbort{XID:1 SubXID:2 LSN:0 Aborted:0001-01-01 00:00:00 +0000 UTC}",
		},
		"an abort with half of it":          {4, "41 00000001 00000002 0000000000000003", ""},
		"an abort of version 3 cannot":      {3, "41 00000001 00000002 0000000000000003 0000000000000000", ""},
		"a stream in version 1":             {1, "53 00000001 01", ""},
		"the end of no stream":              {2, "45", ""},
		"an unknown kind":                   {4, "51", ""},
		"nothing":                           {1, "", ""},
		"more than the message":             {1, "4f 0000000000000001 61 00 ff", ""},
		"a value longer than the message":   {1, "49 00000001 4e 0001 74 7fffffff 61", ""},
		"a value of negative length":        {1, "49 00000001 4e 0001 74 ffffffff", ""},
		"a binary value, not asked for":     {1, "49 00000001 4e 0001 62 00000001 61", ""},
		"more columns than bytes":           {1, "49 00000001 4e ffff 6e", ""},
		"more tables than bytes":            {1, "54 7fffffff 00 00000001", ""},
		"a negative number of tables":       {1, "54 ffffffff 00", ""},
		"a delete without an old row":       {1, "44 00000001 4e 0000", ""},
		"an update without a new row":       {1, "55 00000001 4b 0000", ""},
		"a name without an end":             {1, "52 00000001 70 75", ""},
		"a relation of the system's schema": {1, "52 00000001 00 74 00 64 0000", "wal.relation{XID:0 OID:1 Schema:pg_catalog Name:t Identity:100 Columns:[]}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := hex.DecodeString(strings.ReplaceAll(tt.in, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			d := decoder{version: tt.version}
			m, err := d.decode(data)
			if tt.want == "" {
				if !errors.Is(err, errMalformed) {
					t.Errorf("decoded to %+v, %v", m, err)
				}
				return
			}
			if got := fmt.Sprintf("%T%+v", m, m); err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// No message is a message when its end is missing.
func TestEveryLengthIsChecked(t *testing.T) {
	t.Parallel()
	for name, tt := range traces {
		d := decoder{version: tt.version}
		for _, data := range readTrace(t, name) {
			for n := range min(len(data), 400) {
				short := d
				if m, err := short.decode(data[:n]); err == nil {
					t.Fatalf("%s: the first %d bytes of %x are %+v", name, n, data, m)
				}
			}
			if _, err := d.decode(data); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for name, tt := range traces {
		for _, data := range readTrace(f, name) {
			if len(data) < 4096 {
				f.Add(byte(tt.version), false, data)
				f.Add(byte(tt.version), true, data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, version byte, inStream bool, data []byte) {
		d := decoder{version: int(version%4) + 1, inStream: inStream}
		m, err := d.decode(data)
		if err != nil {
			if m != nil || !errors.Is(err, errMalformed) {
				t.Errorf("%v and %v", m, err)
			}
			return
		}
		// What is decoded cannot be more than what came.
		switch m := m.(type) {
		case row:
			if len(m.Old)+len(m.New) > len(data) {
				t.Errorf("%d values of %d bytes", len(m.Old)+len(m.New), len(data))
			}
		case relation:
			if len(m.Columns)*minColumn > len(data) {
				t.Errorf("%d columns of %d bytes", len(m.Columns), len(data))
			}
		case truncate:
			if len(m.Relations)*4 > len(data) {
				t.Errorf("%d tables of %d bytes", len(m.Relations), len(data))
			}
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("w0123456701234567012345670"))
	f.Add([]byte("k01234567012345670"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := openEnvelope(data); err == nil && len(e.payload) > len(data) {
			t.Errorf("%d bytes of %d", len(e.payload), len(data))
		}
	})
}

package postgres

import "testing"

func TestSnapshots(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		seen, hidden []uint32
		bad          bool
	}{
		"10:10:":                   {seen: []uint32{3, 9}, hidden: []uint32{10, 11}},
		"10:15:10,13":              {seen: []uint32{9, 11, 14}, hidden: []uint32{10, 13, 15}},
		"4294967299:4294967300:":   {seen: []uint32{3, 1<<32 - 1}, hidden: []uint32{4}}, // past the first epoch
		"4294967290:4294967300:12": {seen: []uint32{1<<32 - 1, 3}, hidden: []uint32{4}},
		"":                         {bad: true},
		"1:2":                      {bad: true},
		"1:x:":                     {bad: true},
		"1:2:y":                    {bad: true},
	} {
		s, err := readSnapshot(text)
		if (err != nil) != want.bad {
			t.Errorf("%q: %v", text, err)
		}
		for _, n := range want.seen {
			if !s.Has(n) {
				t.Errorf("%q hides %d", text, n)
			}
		}
		for _, n := range want.hidden {
			if s.Has(n) {
				t.Errorf("%q shows %d", text, n)
			}
		}
	}
}

func TestASnapshotOfADatabase(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, "CREATE TABLE t (id int)")
	conn := rowsStranger(t, d)
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var id uint32
	if err := tx.QueryRow(t.Context(), "SELECT pg_current_xact_id()::text::bigint").Scan(&id); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Snapshot(t.Context()); err != nil || s.Has(id) {
		t.Errorf("an open transaction is seen: %+v, %v", s, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Snapshot(t.Context()); err != nil || !s.Has(id) {
		t.Errorf("a transaction that is over is not seen: %+v, %v", s, err)
	}
}

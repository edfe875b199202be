package postgres

import (
	"errors"
	"slices"
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestSlotsOfADatabase(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	slot := "realtime_" + newID()[:8]
	_, d := p.as(t, "", "")
	p.exec(t, "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
	p.exec(t, "CREATE TABLE filler AS SELECT generate_series(1, 1000) AS n")
	all, err := d.Slots(t.Context(), "ours")
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v %v", all, err)
	}
	if s := all[0]; s.Name != slot || s.Active || s.WalStatus != "reserved" || s.Unconfirmed < 1000 || s.Retained < s.Unconfirmed {
		t.Errorf("%+v", s)
	}
	p.exec(t, "SELECT pg_drop_replication_slot('"+slot+"')")
	all, err = d.Slots(t.Context(), "ours")
	if err != nil || slices.ContainsFunc(all, func(s Slot) bool { return s.Name == slot }) {
		t.Errorf("%+v %v", all, err)
	}
	gone, err := OpenDatabase(tutti.Database{Host: "127.0.0.1", Port: 1, Name: "n", User: "u", Pool: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	if _, err := gone.Slots(t.Context(), "ours"); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("a database that is not there: %v", err)
	}
}

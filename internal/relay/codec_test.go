package relay

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// someTable returns a table with all kinds of columns.
func someTable(rng *rand.Rand, oid uint32) *tutti.Table {
	t := &tutti.Table{OID: oid, Schema: "public", Name: fmt.Sprint("t", oid), Identity: 'd', Columns: []tutti.Column{}}
	for i := range rng.IntN(6) {
		c := tutti.Column{Name: fmt.Sprint("c", i), TypeOID: rng.Uint32(), Type: "int4", TypeMod: rng.Int32() - 1<<30, Key: i == 0, Base: 23}
		if i == 3 {
			c.Delim, c.Fields = ',', []tutti.Column{{Name: "x", Type: "text", TypeMod: -1}, {Name: "y", Fields: []tutti.Column{}}}
		}
		t.Columns = append(t.Columns, c)
	}
	return t
}

func someTransaction(rng *rand.Rand, tables []*tutti.Table) tutti.Transaction {
	tx := tutti.Transaction{ID: rng.Uint32(), CommitLSN: rng.Uint64(), Committed: time.UnixMicro(rng.Int64N(1 << 50)).UTC(), Changes: []tutti.Change{}}
	if tx.More = rng.IntN(2) == 0; !tx.More {
		tx.EndLSN = rng.Uint64() | 1
	}
	for range rng.IntN(20) {
		c := tutti.Change{Table: tables[rng.IntN(len(tables))], Kind: tutti.ChangeKind(1 + rng.IntN(4))}
		for _, row := range []*[]tutti.Value{&c.New, &c.Old} {
			if rng.IntN(2) == 0 {
				continue
			}
			*row = make([]tutti.Value, len(c.Table.Columns))
			for i := range *row {
				if (*row)[i].Kind = tutti.ValueKind(rng.IntN(4)); (*row)[i].Kind == tutti.Text {
					(*row)[i].Text = make([]byte, rng.IntN(300))
				}
			}
		}
		tx.Changes = append(tx.Changes, c)
	}
	return tx
}

func TestPartsComeAsTheyWere(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var w writer
	var s shelf
	tables := []*tutti.Table{someTable(rng, 1), someTable(rng, 2), someTable(rng, 3)}
	met := map[*tutti.Table]*tutti.Table{}
	for range 300 {
		if rng.IntN(5) == 0 { // described anew, as the same or as another
			n := rng.IntN(3)
			tables[n] = someTable(rng, uint32(n+1))
		}
		if rng.IntN(5) == 0 {
			w.round++
		}
		tx := someTransaction(rng, tables)
		offset := rng.IntN(1000)
		err := s.each(w.part(nil, &tx, offset), func(r *record) error {
			if r.offset != offset || len(r.tx.Changes) != len(tx.Changes) {
				t.Fatalf("offset %d, %d changes", r.offset, len(r.tx.Changes))
			}
			for i := range tx.Changes {
				was, is := tx.Changes[i].Table, r.tx.Changes[i].Table
				if before := met[was]; before != nil && before != is {
					t.Fatal("a table that was known is another")
				}
				met[was] = is
				if !reflect.DeepEqual(was, is) {
					t.Fatalf("got  %+v\nwant %+v", is, was)
				}
				r.tx.Changes[i].Table = was
			}
			if fmt.Sprintf("%+v", r.tx) != fmt.Sprintf("%+v", tx) {
				t.Fatalf("got  %+v\nwant %+v", r.tx, tx)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestStatesComeAsTheyWere(t *testing.T) {
	t.Parallel()
	live := wal.Live{Since: 1 << 60, System: "7", End: 9}
	down := wal.Down{Failure: &wal.Failure{Code: "a", Cause: "b", Cure: "c"}}
	lost := wal.Lost{From: 5, To: 3}
	body := appendPass(appendLost(appendDown(appendLive(nil, &live), down.Failure), &lost), 77)
	var got []any
	var s shelf
	if err := s.each(body, func(r *record) error { got = append(got, r.state, r.pass); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []any{live, uint64(0), down, uint64(0), lost, uint64(0), nil, uint64(77)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestMessagesComeAsTheyWere(t *testing.T) {
	t.Parallel()
	l := line{"acme", 1 << 63}
	at := position{true, 1, 2, 3, 4, 5}
	f := follow{l, 7, 8, at}
	c := &cursor{rest: appendFollow(nil, &f)}
	if kind := c.byte(); kind != kindFollow || c.follow() != f || c.end() != nil {
		t.Error("a follow is another")
	}
	a := accept{l, 1, 2, 3, true, true, at, 9}
	c = &cursor{rest: appendAccept(nil, &a)}
	if kind := c.byte(); kind != kindAccept || c.accept() != a || c.end() != nil {
		t.Error("an accept is another")
	}
	fr := frame{l, 1, 2, true, []byte("body")}
	c = &cursor{rest: appendFrame(nil, &fr)}
	if kind := c.byte(); kind != kindFrame || !reflect.DeepEqual(c.frame(), fr) {
		t.Error("a frame is another")
	}
	answers, gaps := []answer{{status: answerNone}, {answerHere, 5, at}}, []gap{{"b", 3, time.Second}}
	epoch, gotAnswers, gotGaps, err := decodeAnswers(appendAnswers(nil, 6, answers, gaps))
	if epoch != 6 || err != nil || !reflect.DeepEqual(gotAnswers, answers) || !reflect.DeepEqual(gotGaps, gaps) {
		t.Error("answers are others")
	}
}

// Whatever comes, nothing panics, and nothing takes much more memory than came.
func FuzzReceive(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	tables := []*tutti.Table{someTable(rng, 1), someTable(rng, 2)}
	for range 5 {
		var w writer
		tx := someTransaction(rng, tables)
		f.Add(w.part(nil, &tx, 3))
	}
	live := wal.Live{Since: 1, System: "7"}
	f.Add(appendLive(nil, &live))
	f.Add(appendFollow(nil, &follow{line: line{"acme", 7}}))
	f.Add(appendAccept(nil, &accept{line: line{"acme", 7}}))
	f.Add(appendFrame(nil, &frame{line: line{"acme", 7}, body: appendPass(nil, 1)}))
	f.Add(notesOf(kindAcks, note{line: line{"acme", 7}}))
	f.Add(appendAnswers(nil, 1, []answer{{status: answerHere}}, []gap{{"b", 1, 1}}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var s shelf
		_ = s.each(data, func(*record) error { return nil })
		_, _, _, _ = decodeAnswers(data)
		r := &Relay{Node: "a", Bus: deafBus{}, Log: quietLog()}
		r.Open("acme", 7)
		r.Receive("b", data)
		_, _ = r.Answer(nil, "b", data) //nolint:staticcheck // it does not use it
	})
}

// A deafBus has nobody on it.
type deafBus struct{ cluster.Link }

func (deafBus) Tell(string, []byte) error { return nil }

func BenchmarkPart(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	table := someTable(rng, 1)
	for len(table.Columns) < 5 {
		table = someTable(rng, 1)
	}
	tx := tutti.Transaction{CommitLSN: 1 << 40, EndLSN: 1<<40 + 8, Committed: time.UnixMicro(0)}
	tx.Changes = []tutti.Change{{Table: table, Kind: tutti.Insert, New: make([]tutti.Value, len(table.Columns))}}
	for i := range tx.Changes[0].New {
		tx.Changes[0].New[i] = tutti.Value{Kind: tutti.Text, Text: make([]byte, 40)}
	}
	var w writer
	body := w.part(nil, &tx, 0)
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			body = w.part(body[:0], &tx, 0)
		}
	})
	var s shelf
	var first writer
	if err := s.each(first.part(nil, &tx, 0), func(*record) error { return nil }); err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = s.each(body, func(*record) error { return nil })
		}
	})
}
